(words) => {
  // For a Chinese visitor: what Gradio says in English. `words`: [English, Chinese], `{}` stands for a number.
  if (!navigator.language.toLowerCase().startsWith("zh")) return;
  document.documentElement.lang = "zh-CN";
  const exact = new Map(words.filter(([english]) => !english.includes("{}")));
  const counted = words.filter(([english]) => english.includes("{}"))
    .map(([english, chinese]) => [english.replace(/[.*+?^$()|[\]\\/]/g, "\\$&").replaceAll("{}", "(\\d+)"), chinese])
    .map(([pattern, chinese]) => [new RegExp(`^${pattern}$`), chinese]);
  const inChinese = (text) => {
    if (exact.has(text)) return exact.get(text);
    for (const [pattern, chinese] of counted) {
      const found = pattern.exec(text);
      if (found) { let at = 0; return chinese.replaceAll("{}", () => found[++at]); }
    }
    return null;
  };
  const attributes = ["aria-label", "title"];
  const mend = (element) => {
    for (const name of attributes) {
      const said = inChinese(element.getAttribute(name) ?? "");
      if (said) element.setAttribute(name, said);
    }
    if (element.closest("[contenteditable], textarea")) return; // what visitors write stays theirs
    for (const node of element.childNodes) {
      const said = node.nodeType === Node.TEXT_NODE ? inChinese(node.data.trim()) : null;
      if (said) node.data = node.data.replace(node.data.trim(), said);
    }
  };
  const whole = (root) => { mend(root); root.querySelectorAll("*").forEach(mend); };
  new MutationObserver((changes) => changes.forEach((change) => {
    if (change.type === "attributes") mend(change.target);
    if (change.type === "characterData" && change.target.parentElement) mend(change.target.parentElement);
    change.addedNodes.forEach((node) => { if (node.nodeType === Node.ELEMENT_NODE) whole(node); });
  })).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true,
                               attributeFilter: attributes });
  whole(document.body);
}
