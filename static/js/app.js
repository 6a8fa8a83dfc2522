// The theme and the copy buttons. Every page works without this file.
(() => {
  "use strict";

  const THEMES = ["system", "light", "dark"];
  const root = document.documentElement;

  // Where storage is forbidden, the choice lasts as long as the page.
  const remembered = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };
  const remember = (theme) => {
    try { localStorage.setItem("theme", theme); } catch { /* see above */ }
  };

  // Of who is signed in: kept with the account. Remembered too, for pages that know nobody.
  const ofAccount = root.dataset.theme;
  let theme = ofAccount || (THEMES.includes(remembered()) ? remembered() : "system");
  if (ofAccount) remember(ofAccount);
  const apply = () => {
    // Without the attribute app.css follows the system.
    if (theme === "system") root.removeAttribute("data-bs-theme");
    else root.setAttribute("data-bs-theme", theme);
  };
  apply();

  const keepWithAccount = () => {
    const token = document.querySelector("[name=csrfmiddlewaretoken]");
    if (!ofAccount || !token) return;
    fetch("/api/v1/users/me", {
      method: "PATCH",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token.value },
      body: JSON.stringify({ theme }),
    }).catch(() => { /* it holds on this page, and is asked for again on the next */ });
  };

  const startThemeButton = (button) => {
    const label = () => { button.textContent = `Theme: ${theme}`; };
    button.addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      remember(theme);
      keepWithAccount();
      apply();
      label();
    });
    label();
    button.hidden = false;
  };

  const copy = async (element) => {
    try {
      return await navigator.clipboard.writeText(element.textContent);
    } catch { /* neither https nor localhost, or not allowed: the old way */ }
    const selection = getSelection();
    selection.selectAllChildren(element);
    const done = document.execCommand("copy");
    selection.removeAllRanges();
    if (!done) throw new Error("refused");
  };

  const startCopyButton = (button) => {
    const element = document.getElementById(button.dataset.copy);
    const label = button.firstChild;
    const announcement = document.createElement("span");
    announcement.className = "visually-hidden";
    announcement.setAttribute("role", "status");
    button.after(announcement);
    button.addEventListener("click", async () => {
      let said = "Copied";
      try { await copy(element); } catch { said = "Not copied"; }
      label.textContent = announcement.textContent = said;
      setTimeout(() => { label.textContent = "Copy"; announcement.textContent = ""; }, 2000);
    });
    button.hidden = false;
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-theme-button]").forEach(startThemeButton);
    document.querySelectorAll("[data-copy]").forEach(startCopyButton);
  });
})();
