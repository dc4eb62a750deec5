() => {
  const buttons = { z: "mw-undo", y: "mw-redo", Escape: "mw-stop" };
  const modes = { a: "inside", s: "outside", b: "box", w: "wand", t: "take" };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input[type=text], input[type=number], textarea, [contenteditable=true]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const id = buttons[event.key];
    if (id) { const found = document.getElementById(id); (found?.querySelector("button") ?? found)?.click(); return; }
    if (modes[event.key]) document.querySelector(`#mw-mode input[value=${modes[event.key]}]`)?.click();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest(".mw-theme")) document.body.classList.toggle("dark");
  });
}
