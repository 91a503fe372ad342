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
