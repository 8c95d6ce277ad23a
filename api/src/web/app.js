"use strict";
// Draws the metrics and tables of this server. It asks nothing but /v1, as every other client does.

const TEXTS = {
  metrics: ["指标", "Metrics"], tables: ["数据表", "Tables"], token: ["访问令牌", "Access token"], enter: ["进入", "Enter"],
  synthetic: ["模拟数据", "synthetic data"], no_data: ["该期无数据", "no data for the period"],
  no_base: ["无对比基数", "no base to compare with"], zero_base: ["对比基数为零", "the base is zero"],
  name: ["名称", "Name"], title: ["标题", "Title"], agency: ["提供方", "Agency"], rows: ["行数", "Rows"],
  version: ["版本", "Version"], committed: ["更新时间", "Committed"], never: ["尚未加载", "never loaded"],
  view: ["视图", "view"], drift: ["与契约不符", "differs from its contract"], no_metrics: ["没有指标", "no metrics"],
  period: ["时期", "Period"], value: ["数值", "Value"], figures: ["数据", "Figures"], missing: ["缺", "missing"],
  defined: ["口径版本", "definition"],
  data: ["数据", "Data"], loading: ["加载中…", "Loading…"], failed: ["请求失败", "The request failed"],
};
let language = 0;
let token = null;

const text = (key) => (TEXTS[key] ? TEXTS[key][language] : key);
const titleOf = (title) => (title ? (language === 0 ? title.zh : title.en) : "");

/** An element with attributes and children; text is always text, never markup. */
function element(name, attributes = {}, ...children) {
  const svg = ["svg", "path", "circle", "line", "text", "rect", "title"].includes(name);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

class Problem extends Error {
  constructor(problem) {
    super([problem.detail, problem.hint].filter(Boolean).join(". "));
    this.status = problem.status;
  }
}

async function ask(path) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { headers, cache: "no-store" });
  const body = await response.json();
  if (!response.ok) throw new Problem(body);
  return body;
}

/** The unit of a share or a rate, shown to people in percent. */
const SHARE = "1";

/** A period as people write it at its grain: a year, a month, a quarter or a day. */
function periodAt(first, grain) {
  const [year, month] = first.split("-");
  if (grain === "year") return year;
  if (grain === "month") return `${year}-${month}`;
  return grain === "quarter" ? `${year} Q${Math.ceil(Number(month) / 3)}` : first;
}

/** Groups the digits of a decimal text without reading it as a binary number. */
function digits(value, unit) {
  if (value === null || value === undefined) return text("missing");
  if (unit === SHARE && Number.isFinite(Number(value))) return `${(Number(value) * 100).toFixed(1)} %`;
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(value));
  if (!match) return Number.isFinite(Number(value)) ? Number(value).toLocaleString("en", { maximumFractionDigits: 3 }) : String(value);
  const fraction = (match[3] || "").slice(0, 3).replace(/0+$/, "");
  return match[1] + match[2].replace(/\B(?=(\d{3})+$)/g, ",") + (fraction ? "." + fraction : "");
}

const role = (answer, wanted) => (answer.columns.find((column) => column.role === wanted) || {}).name;

/** A line over the periods; a missing period is a grey gap, never a zero. */
function chart(answer) {
  const [period, value, reason] = ["period", "value", "reason"].map((wanted) => role(answer, wanted));
  if (!period) return null;
  const points = answer.rows.map((row) => ({
    period: periodAt(row[period], answer.grain), shown: row[value], reason: row[reason],
    value: row[value] === null || row[value] === undefined ? null : Number(row[value]),
  }));
  const known = points.filter((point) => Number.isFinite(point.value) && point.value !== null);
  if (points.length < 2 || known.length === 0) return null;
  const [width, height, left, top, bottom] = [320, 120, 6, 10, 18];
  const low = Math.min(0, ...known.map((point) => point.value));
  const high = Math.max(...known.map((point) => point.value));
  const step = (width - 2 * left) / (points.length - 1);
  const x = (index) => left + index * step;
  const y = (number) => height - bottom - ((number - low) / (high - low || 1)) * (height - bottom - top);
  const drawing = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": titleOf(answer.metric.title) });
  drawing.append(element("line", { class: "axis", x1: left, x2: width - left, y1: y(Math.max(low, 0)), y2: y(Math.max(low, 0)) }));
  let path = "";
  let open = false;
  points.forEach((point, index) => {
    if (point.value === null) {
      open = false;
      const gap = element("rect", { class: "gap", x: x(index) - Math.max(step / 2, 1), y: top, width: Math.max(step, 2), height: height - top - bottom });
      gap.append(element("title", {}, `${point.period}: ${text(point.reason || "no_data")}`));
      drawing.append(gap);
      return;
    }
    path += `${open ? "L" : "M"}${x(index).toFixed(1)} ${y(point.value).toFixed(1)}`;
    open = true;
  });
  drawing.append(element("path", { class: "line", d: path }));
  points.forEach((point, index) => {
    if (point.value === null) return;
    const dot = element("circle", { class: "dot", cx: x(index), cy: y(point.value), r: points.length > 40 ? 1.5 : 2.5 });
    dot.append(element("title", {}, `${point.period}: ${digits(point.shown, answer.metric.unit)}`));
    drawing.append(dot);
  });
  drawing.append(element("text", { x: left, y: height - 4 }, points[0].period));
  drawing.append(element("text", { x: width - left, y: height - 4, "text-anchor": "end" }, points[points.length - 1].period));
  return drawing;
}

function figures(answer) {
  const [period, value, reason] = ["period", "value", "reason"].map((wanted) => role(answer, wanted));
  const body = element("tbody");
  for (const row of answer.rows) {
    const shown = row[value] === null || row[value] === undefined ? text(row[reason] || "no_data") : digits(row[value], answer.metric.unit);
    body.append(element("tr", {}, element("td", {}, period ? periodAt(row[period], answer.grain) : ""), element("td", { class: "number" }, shown)));
  }
  const head = element("tr", {}, element("th", {}, text("period")), element("th", {}, text("value")));
  return element("details", {}, element("summary", {}, text("figures")), element("table", {}, element("thead", {}, head), body));
}

function instant(value) {
  return value ? new Date(value).toLocaleString(language === 0 ? "zh-CN" : "en-GB", { timeZone: "Asia/Shanghai" }) : "";
}

async function card(summary) {
  const box = element("article", {}, element("h3", {}, titleOf(summary.title)), element("p", { class: "soft" }, text("loading")));
  fill(box, summary).catch((error) => {
    box.lastChild.replaceWith(element("p", { class: "fault" }, `${text("failed")}: ${error.message}`));
  });
  return box;
}

async function fill(box, summary) {
  // The coarsest grain draws the longest history in the fewest points.
  const order = ["day", "month", "quarter", "year"];
  const grain = [...(summary.grains || [])].sort((a, b) => order.indexOf(b) - order.indexOf(a))[0];
  const name = encodeURIComponent(summary.name);
  const answer = await ask(`/v1/metrics/${name}?limit=200${grain ? `&grain=${grain}` : ""}`);
  const value = role(answer, "value");
  const period = role(answer, "period");
  const last = [...answer.rows].reverse().find((row) => row[value] !== null && row[value] !== undefined);
  const parts = [element("h3", {}, titleOf(summary.title))];
  if (answer.synthetic) parts.push(element("span", { class: "synthetic" }, text("synthetic")));
  const unit = summary.unit && summary.unit !== SHARE ? ` ${summary.unit}` : "";
  const when = last && period ? ` · ${periodAt(last[period], answer.grain)}` : "";
  parts.push(element("p", { class: "figure" }, last ? digits(last[value], summary.unit) : text("no_data"), element("small", {}, unit + when)));
  const drawing = chart(answer);
  if (drawing) parts.push(drawing);
  parts.push(element("p", { class: "soft" }, `${titleOf(summary.description)} (${text("defined")} ${summary.definition_version})`));
  if (answer.regions_label) parts.push(element("p", { class: "soft" }, titleOf(answer.regions_label)));
  const sources = answer.tables.map((table) => `${table.name} v${table.version}${table.committed_at ? ` (${instant(table.committed_at)})` : ""}`);
  parts.push(element("p", { class: "soft" }, `${text("data")}: ${sources.join(", ")}`));
  if (answer.rows.length > 0) parts.push(figures(answer));
  box.replaceChildren(...parts);
}

function tableRow(table) {
  const label = [titleOf(table.title)];
  if (table.kind === "view") label.push(` (${text("view")})`);
  const title = element("td", {}, ...label);
  if (table.synthetic) title.append(" ", element("span", { class: "synthetic" }, text("synthetic")));
  for (const difference of table.drift || []) title.append(element("p", { class: "fault" }, `${text("drift")}: ${difference}`));
  const loaded = table.version === null && table.kind === "table" ? text("never") : instant(table.committed_at);
  return element("tr", {}, element("td", {}, element("code", {}, table.name)), title, element("td", {}, table.agency),
    element("td", { class: "number" }, table.rows === null ? "" : digits(table.rows)),
    element("td", { class: "number" }, table.version === null ? "" : String(table.version)), element("td", {}, loaded));
}

async function draw() {
  document.documentElement.lang = language === 0 ? "zh-CN" : "en";
  document.getElementById("zh").setAttribute("aria-pressed", String(language === 0));
  document.getElementById("en").setAttribute("aria-pressed", String(language === 1));
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text);
  const message = document.getElementById("message");
  message.textContent = text("loading");
  message.className = "";
  try {
    const [metrics, tables] = await Promise.all([ask("/v1/metrics"), ask("/v1/tables")]);
    document.getElementById("login").hidden = true;
    document.getElementById("tables-head").replaceChildren(
      ...["name", "title", "agency", "rows", "version", "committed"].map((key) => element("th", { scope: "col" }, text(key))));
    document.getElementById("tables").replaceChildren(...tables.tables.map(tableRow));
    const cards = document.getElementById("metrics");
    cards.replaceChildren(...(await Promise.all(metrics.metrics.map(card))));
    message.textContent = metrics.metrics.length === 0 ? text("no_metrics") : "";
  } catch (error) {
    document.getElementById("login").hidden = error.status !== 401;
    message.className = "fault";
    message.textContent = `${text("failed")}: ${error.message}`;
  }
}

["zh", "en"].forEach((id, index) => {
  document.getElementById(id).addEventListener("click", () => { language = index; draw(); });
});
document.getElementById("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = document.getElementById("token").value;
  draw();
});
draw();
