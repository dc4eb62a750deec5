() => {
  // "Everything": the region under the pointer lights up. #mw-regions holds its number in red and green of every pixel.
  let read = null, canvas = null, last = 0;
  const picture = () => document.querySelector("#mw-picture img");
  const taking = () => document.querySelector("#mw-mode input[value=take]")?.checked;
  const hide = () => { canvas?.remove(); canvas = null; last = 0; };
  const numbers = (source) => {
    if (read?.src === source.src) return read;
    const paper = document.createElement("canvas");
    paper.width = source.naturalWidth; paper.height = source.naturalHeight;
    const pen = paper.getContext("2d", { willReadFrequently: true });
    pen.drawImage(source, 0, 0);
    read = { src: source.src, width: paper.width, height: paper.height,
             data: pen.getImageData(0, 0, paper.width, paper.height).data };
    return read;
  };
  const light = (map, number, image) => {
    hide();
    last = number;
    if (!number) return;
    canvas = document.createElement("canvas");
    canvas.className = "mw-over"; canvas.id = "mw-over";
    canvas.width = map.width; canvas.height = map.height;
    const pen = canvas.getContext("2d"), paint = pen.createImageData(map.width, map.height);
    for (let i = 0; i < map.data.length; i += 4)
      if (map.data[i] + 256 * map.data[i + 1] === number) paint.data.set([255, 255, 255, 150], i);
    pen.putImageData(paint, 0, 0);
    const box = image.getBoundingClientRect(), home = (image.offsetParent ?? document.body).getBoundingClientRect();
    Object.assign(canvas.style, { left: `${box.left - home.left}px`, top: `${box.top - home.top}px`,
                                  width: `${box.width}px`, height: `${box.height}px` });
    (image.offsetParent ?? document.body).append(canvas);
  };
  document.addEventListener("mousemove", (event) => {
    const image = picture(), source = document.querySelector("#mw-regions img");
    if (!source?.naturalWidth || event.target !== image || !taking()) { if (canvas) hide(); return; }
    const map = numbers(source), box = image.getBoundingClientRect();
    const scale = Math.min(box.width / map.width, box.height / map.height, 1);
    const x = Math.floor((event.clientX - box.left - (box.width - scale * map.width) / 2) / scale);
    const y = Math.floor((event.clientY - box.top - (box.height - scale * map.height) / 2) / scale);
    const at = 4 * (y * map.width + x), inside = x >= 0 && y >= 0 && x < map.width && y < map.height;
    const number = inside ? map.data[at] + 256 * map.data[at + 1] : 0;
    if (number !== last) light(map, number, image);
  });
}
