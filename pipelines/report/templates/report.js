"use strict";
// Sections by location.hash, the filter of the findings, and figures drawn when they are first seen.
(() => {
  const main = document.getElementById("main");
  const sections = [...main.querySelectorAll(":scope > section")];
  const links = [...document.querySelectorAll("nav a")];
  const severities = ["critical", "high", "medium", "low", "info"];
  const brand = document.title;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  // Figures take their paper and ink from the page, so that they follow its theme.
  function themed() {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink").trim();
    const line = style.getPropertyValue("--line").trim();
    const paper = style.getPropertyValue("--paper").trim();
    const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line };
    const patch = { "font.color": ink, "hoverlabel.bgcolor": paper, "hoverlabel.bordercolor": line, "hoverlabel.font.color": ink };
    for (const name of ["xaxis", "yaxis"]) {
      for (const [key, value] of Object.entries(axis)) patch[`${name}.${key}`] = value;
    }
    return patch;
  }

  function withTheme(layout) {
    const merged = structuredClone(layout);
    for (const [path, value] of Object.entries(themed())) {
      const keys = path.split(".");
      let part = merged;
      for (const key of keys.slice(0, -1)) part = part[key] ??= {};
      part[keys.at(-1)] = value;
    }
    return merged;
  }

  const options = { displayModeBar: false, displaylogo: false, responsive: true, showTips: false };

  function draw(place) {
    if (place.dataset.drawn || place.offsetParent === null) return;
    place.dataset.drawn = "yes";
    const figure = JSON.parse(document.getElementById(place.dataset.figure).textContent);
    Plotly.newPlot(place, figure.data, withTheme(figure.layout), options);
  }

  // Every figure keeps its height before it is drawn, so that nothing jumps while one reads.
  for (const place of document.querySelectorAll(".plot")) place.style.minHeight = `${place.dataset.height}px`;
  const watcher = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
    { rootMargin: "600px" },
  );
  for (const place of document.querySelectorAll(".plot")) watcher.observe(place);
  dark.addEventListener("change", () => {
    for (const place of document.querySelectorAll(".plot[data-drawn]")) Plotly.relayout(place, themed());
  });
  window.addEventListener("beforeprint", () => document.querySelectorAll(".plot").forEach(draw));

  function open(finding, wanted) {
    const button = finding.querySelector(".head button");
    button.setAttribute("aria-expanded", String(wanted));
    finding.classList.toggle("open", wanted);
  }

  for (const finding of document.querySelectorAll("tbody.finding")) {
    finding.querySelector(".head").addEventListener("click", (event) => {
      if (window.getSelection().toString() && !event.target.closest("button")) return;
      open(finding, !finding.classList.contains("open"));
    });
  }

  // What the address names may lie within a section: that section is shown, and the thing itself brought into view.
  function show() {
    let name = "";
    try { name = decodeURIComponent(location.hash.slice(1)); } catch { /* not an address of ours */ }
    const target = (name && document.getElementById(name)) || sections[0];
    const section = sections.find((one) => one.contains(target)) || sections[0];
    for (const one of sections) one.hidden = one !== section;
    for (const link of links) {
      const here = link.getAttribute("href") === `#${section.id}`;
      if (here) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
    }
    if (target.classList.contains("finding")) {
      clearFilterIfHidden(target);
      open(target, true);
    }
    const heading = section.querySelector("h1");
    document.title = `${heading.textContent} \u2013 ${brand}`;
    if (target === section || !section.contains(target)) window.scrollTo(0, 0); else target.scrollIntoView();
    if (shownOnce && target === section) { heading.tabIndex = -1; heading.focus({ preventScroll: true }); }
    shownOnce = true;
  }
  let shownOnce = false;

  const text = document.getElementById("filter-text");
  const chosen = Object.fromEntries(
    ["severity", "worker", "detector"].map((name) => [name, document.getElementById(`filter-${name}`)]),
  );
  const findings = [...document.querySelectorAll("tbody.finding")];
  const words = new Map(findings.map((one) => [one, one.textContent.toLowerCase()]));

  function fits(finding) {
    const least = chosen.severity.value;
    if (least && severities.indexOf(finding.dataset.severity) > severities.indexOf(least)) return false;
    if (chosen.worker.value && finding.dataset.worker !== chosen.worker.value) return false;
    if (chosen.detector.value && finding.dataset.detector !== chosen.detector.value) return false;
    return words.get(finding).includes(text.value.trim().toLowerCase());
  }

  function filter() {
    let count = 0;
    for (const finding of findings) {
      const fit = fits(finding);
      finding.hidden = !fit;
      count += fit ? 1 : 0;
    }
    const all = findings.length;
    document.getElementById("filter-count").textContent = count === all ? `${all} findings` : `${count} of ${all} findings`;
    document.getElementById("filter-none").hidden = count > 0;
  }

  function clearFilterIfHidden(finding) {
    if (!finding.hidden) return;
    text.value = "";
    for (const one of Object.values(chosen)) one.value = "";
    filter();
  }

  if (text) {
    text.addEventListener("input", filter);
    for (const one of Object.values(chosen)) one.addEventListener("change", filter);
    document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
    for (const link of document.querySelectorAll("a[data-severity]")) {
      link.addEventListener("click", () => { chosen.severity.value = link.dataset.severity; filter(); });
    }
  }

  document.documentElement.classList.add("scripted");
  window.addEventListener("hashchange", show);
  show();
})();
