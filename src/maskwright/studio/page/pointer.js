() => {
  // Pictures without a mouse: Tab to one, arrow keys move a cross (Shift: further), Enter clicks there.
  let cross = null, at = null;
  const place = (image) => {
    const box = image.getBoundingClientRect();
    at = at ?? [0.5, 0.5];
    cross = cross ?? document.body.appendChild(Object.assign(document.createElement("div"), { className: "mw-cross" }));
    Object.assign(cross.style, { left: `${box.left + at[0] * box.width}px`, top: `${box.top + at[1] * box.height}px` });
  };
  const leave = () => { cross?.remove(); cross = null; at = null; };
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const steer = (event, home) => {
    const image = home.querySelector("img"), step = steps[event.key];
    if (!image) return;
    if (step) {
      at = (at ?? [0.5, 0.5]).map((v, i) => Math.min(0.995, Math.max(0.005, v + step[i] * (event.shiftKey ? 0.1 : 0.01))));
      event.preventDefault();
      place(image);
    } else if (event.key === "Enter" && at) {
      const box = image.getBoundingClientRect();
      const where = { clientX: box.left + at[0] * box.width, clientY: box.top + at[1] * box.height };
      image.dispatchEvent(new MouseEvent("click", { ...where, bubbles: true }));
    }
  };
  document.addEventListener("keydown", (event) => {
    if (event.target.classList?.contains("mw-picture")) steer(event, event.target);
  });
  document.addEventListener("focusout", leave);
  const reachable = () => document.querySelectorAll(".mw-picture:not([tabindex])").forEach((e) => { e.tabIndex = 0; });
  new MutationObserver(reachable).observe(document.body, { childList: true, subtree: true });
  reachable();
}
