"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = dark() ? button.dataset.light : button.dataset.dark; };
  button.hidden = false;
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  name();

  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));

  const worth = (row, at) => { const cell = row.children[at]; return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v); };
  const sort = (table, heading, at) => {
    const numbers = heading.classList.contains("num");
    const was = heading.getAttribute("aria-sort");
    const down = was ? was === "ascending" : numbers;
    table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    const rows = [...table.tBodies[0].rows].sort((a, b) => order(worth(a, at), worth(b, at)) * (down ? -1 : 1));
    table.tBodies[0].append(...rows);
  };
  document.querySelectorAll("table.sorts").forEach((table) => table.querySelectorAll("thead th").forEach((heading, at) => {
    const press = document.createElement("button");
    press.type = "button";
    press.className = "sort";
    press.append(...heading.childNodes);
    heading.append(press);
    press.addEventListener("click", () => sort(table, heading, at));
  }));

  const charts = document.getElementById("charts");
  if (!charts) return;
  const specs = JSON.parse(charts.textContent);
  const options = { actions: false, renderer: "svg", ast: true, tooltip: { disableDefaultStyle: true } };
  const draw = (figure) =>
    vegaEmbed(figure.querySelector(".live"), specs[figure.dataset.chart], options)
      .then(() => { figure.classList.add("is-live"); dispatchEvent(new Event("resize")); });
  const seen = new IntersectionObserver((entries) => entries.filter((one) => one.isIntersecting).forEach((one) => {
    seen.unobserve(one.target);
    draw(one.target);
  }), { rootMargin: "400px" });
  document.querySelectorAll("figure[data-chart]").forEach((figure) => seen.observe(figure));
})();
