"use strict";
// Shows /v1/openapi.json to people, and sends GET requests for them. The token stays in this page's memory.

const TEXTS = {
  token: ["访问令牌", "Access token"], enter: ["进入", "Enter"], loading: ["加载中…", "Loading…"],
  failed: ["请求失败", "The request failed"], parameters: ["参数", "Parameters"], body: ["请求体", "Request body"],
  responses: ["响应", "Responses"], schemas: ["数据结构", "Schemas"], example: ["示例", "Example"], try: ["试一试", "Try it"],
  send: ["发送", "Send"], required: ["必填", "required"], name: ["名称", "Name"], type: ["类型", "Type"],
  meaning: ["说明", "Meaning"], status: ["状态", "Status"], formats: ["格式", "Formats"], headers: ["响应头", "Headers"],
  save: ["保存文件", "Save the file"], bytes: ["字节", "bytes"], cut: ["仅显示开头部分", "only the beginning is shown"],
  query: ["地址参数", "query"], path: ["路径", "path"], header: ["请求头", "header"], document: ["本页内容来自", "This page is drawn from"],
};
const METHODS = ["get", "post", "put", "patch", "delete"];
const SHOWN_CHARACTERS = 20000;
let language = 0;
let token = null;
let api = null;

const text = (key) => (TEXTS[key] ? TEXTS[key][language] : key);
const titleOf = (operation) => (language === 0 && operation["x-zh"]) || operation.summary || operation.operationId;

/** An element with attributes and children; text is always text, never markup. */
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function ask(path, headers = {}) {
  if (token) headers.Authorization = `Bearer ${token}`;
  return fetch(path, { headers, cache: "no-store" });
}

/** The schema that a reference names. */
function resolved(schema) {
  const name = schema && schema.$ref && schema.$ref.split("/").pop();
  return name ? api.components.schemas[name] || {} : schema || {};
}

/** A schema in a few words, with a link where it has a name. */
function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return element("a", { href: `#schema-${name}` }, name);
  }
  const span = element("span");
  const parts = schema.oneOf || schema.anyOf || schema.allOf;
  if (schema.enum) span.append(element("code", {}, schema.enum.join(" | ")));
  else if (parts) parts.forEach((part, index) => span.append(index ? (schema.allOf ? " + " : " | ") : "", typeOf(part)));
  else if ([].concat(schema.type).includes("array")) span.append("[ ", typeOf(schema.items), " ]");
  else span.append([].concat(schema.type || "any").join(" | ") + (schema.format ? ` (${schema.format})` : ""));
  const bounds = [["minimum", "≥"], ["maximum", "≤"], ["maxLength", "≤"]].filter(([key]) => schema[key] !== undefined);
  bounds.forEach(([key, sign]) => span.append(` ${sign} ${schema[key]}`));
  return span;
}

/** A value that fits a schema. */
function sample(schema, depth = 0) {
  const found = resolved(schema);
  if (found.example !== undefined) return found.example;
  if (found.examples && found.examples.length) return found.examples[0];
  if (found.enum) return found.enum[0];
  if (depth > 5) return null;
  if (found.allOf) return Object.assign({}, ...found.allOf.map((part) => sample(part, depth + 1)));
  const choices = found.oneOf || found.anyOf;
  if (choices) return sample(choices.find((choice) => choice.type !== "null"), depth + 1);
  const type = [].concat(found.type).find((name) => name !== "null");
  if (type === "object") {
    return Object.fromEntries(Object.entries(found.properties || {}).map(([name, part]) => [name, sample(part, depth + 1)]));
  }
  if (type === "array") return [sample(found.items, depth + 1)];
  if (type === "integer" || type === "number") return found.minimum || 0;
  if (type === "boolean") return true;
  return { date: "2019-03-26", "date-time": "2019-03-26T00:00:00Z", uuid: "0197c0de-0000-7000-8000-000000000000" }[found.format] || "…";
}

/** A text whose parts in backticks are code. */
function prose(value) {
  return (value || "").split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

const meaningOf = (parameter) => prose((language === 0 && parameter["x-zh"]) || parameter.description);

function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((key) => element("th", { scope: "col" }, text(key))));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, ...[].concat(cell)))));
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function parameterRow(parameter) {
  const where = text(parameter.in) + (parameter.required ? `, ${text("required")}` : "");
  return [[element("code", {}, parameter.name), element("p", { class: "soft" }, where)], typeOf(parameter.schema), meaningOf(parameter)];
}

function exampleOf(schema) {
  return element("details", {}, element("summary", {}, text("example")), element("pre", {}, JSON.stringify(sample(schema), null, 2)));
}

function contentRows(content) {
  return Object.entries(content || {}).map(([media, body]) => element("p", {}, element("code", {}, media), " ", body.schema ? typeOf(body.schema) : ""));
}

function responseRow([status, response]) {
  const headers = Object.keys(response.headers || {}).map((name) => element("p", { class: "soft" }, name));
  return [element("code", {}, status), prose(response.description), contentRows(response.content), headers];
}

/** A field for a parameter: a list of its values, or a line to write in. */
function field(parameter) {
  const schema = resolved(parameter.schema);
  const attributes = { name: parameter.name, "data-in": parameter.in };
  if (parameter.required) attributes.required = "";
  if (schema.enum) {
    const options = schema.enum.map((value) => element("option", { value }, value));
    return element("select", attributes, element("option", { value: "" }, ""), ...options);
  }
  const hint = (schema.examples && schema.examples[0]) || (schema.items && schema.items.enum && schema.items.enum.join(", ")) || "";
  return element("input", { ...attributes, placeholder: String(hint), autocomplete: "off" });
}

async function send(path, form, output) {
  const query = new URLSearchParams();
  let address = path;
  for (const input of form.querySelectorAll("input, select")) {
    if (input.dataset.in === "path") address = address.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") query.append(input.name, input.value);
  }
  if (query.size) address += `?${query}`;
  output.replaceChildren(element("p", { class: "soft" }, text("loading")));
  try {
    const response = await ask(address);
    const bytes = await response.blob();
    const parts = [element("p", {}, element("code", {}, `GET ${address}`)), element("p", { class: response.ok ? "" : "fault" }, `${response.status} ${response.statusText}`)];
    parts.push(element("p", { class: "soft" }, [...response.headers].map(([name, value]) => `${name}: ${value}`).join(" · ")));
    const type = response.headers.get("content-type") || "";
    if (/json|text/.test(type)) {
      let shown = await bytes.text();
      try { shown = JSON.stringify(JSON.parse(shown), null, 2); } catch { /* lines of JSON, or CSV: as it came */ }
      parts.push(element("pre", {}, shown.slice(0, SHOWN_CHARACTERS)));
      if (shown.length > SHOWN_CHARACTERS) parts.push(element("p", { class: "soft" }, text("cut")));
    } else {
      parts.push(element("p", {}, `${bytes.size} ${text("bytes")}`));
    }
    const name = (/filename="([^"]+)"/.exec(response.headers.get("content-disposition") || "") || [])[1];
    if (name) parts.push(element("p", {}, element("a", { href: URL.createObjectURL(bytes), download: name }, text("save"))));
    output.replaceChildren(...parts);
  } catch (error) {
    output.replaceChildren(element("p", { class: "fault" }, `${text("failed")}: ${error.message}`));
  }
}

function tryIt(path, operation) {
  const rows = (operation.parameters || []).map((parameter) => element("label", {}, element("code", {}, parameter.name), " ", field(parameter)));
  const form = element("form", { class: "try" }, ...rows, element("button", {}, text("send")));
  const output = element("div", { role: "status" });
  form.addEventListener("submit", (event) => { event.preventDefault(); send(path, form, output); });
  return [element("h4", {}, text("try")), form, output];
}

function operationBox(path, method, operation) {
  const head = [element("code", { class: "method" }, method.toUpperCase()), " ", element("code", {}, path), " ", titleOf(operation)];
  const box = element("details", { class: "operation", id: operation.operationId }, element("summary", {}, ...head));
  const fill = () => {
    const parts = (operation.description || "").split("\n\n").filter(Boolean).map((part) => element("p", {}, ...prose(part)));
    if (operation.parameters) parts.push(element("h4", {}, text("parameters")), table(["name", "type", "meaning"], operation.parameters.map(parameterRow)));
    if (operation.requestBody) {
      parts.push(element("h4", {}, text("body")), ...contentRows(operation.requestBody.content));
      const json = operation.requestBody.content["application/json"];
      if (json && json.schema) parts.push(exampleOf(json.schema));
    }
    parts.push(element("h4", {}, text("responses")), table(["status", "meaning", "formats", "headers"], Object.entries(operation.responses).map(responseRow)));
    const ok = ((operation.responses["200"] || {}).content || {})["application/json"];
    if (ok && ok.schema) parts.push(exampleOf(ok.schema));
    if (method === "get") parts.push(...tryIt(path, operation));
    box.append(...parts);
  };
  box.addEventListener("toggle", fill, { once: true });
  return box;
}

function schemaBox([name, schema]) {
  const parts = schema.allOf || [schema];
  const rows = parts.flatMap((part) => Object.entries(part.properties || {})).map(([key, value]) => [element("code", {}, key), typeOf(value), prose(value.description || resolved(value).description)]);
  const based = parts.filter((part) => part.$ref).map((part) => element("p", {}, "+ ", typeOf(part)));
  const box = element("details", { class: "operation", id: `schema-${name}` }, element("summary", {}, element("code", {}, name), " ", schema.description || ""), ...based);
  if (rows.length) box.append(table(["name", "type", "meaning"], rows));
  else box.append(element("p", {}, typeOf(schema)));
  box.append(exampleOf(schema));
  return box;
}

function drawDocument() {
  const found = Object.entries(api.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method]).map((method) => [path, method, item[method]]));
  const sections = api.tags.map((tag) => {
    const boxes = found.filter(([, , operation]) => (operation.tags || []).includes(tag.name)).map((each) => operationBox(...each));
    return element("section", {}, element("h2", {}, tag.name, " ", element("small", { class: "soft" }, tag.description)), ...boxes);
  });
  const schemas = element("section", {}, element("h2", {}, text("schemas")), ...Object.entries(api.components.schemas).map(schemaBox));
  const about = element("p", { class: "soft" }, `${api.info.title} ${api.info.version} · OpenAPI ${api.openapi} · ${text("document")} `, element("a", { href: "/v1/openapi.json" }, "/v1/openapi.json"));
  document.getElementById("operations").replaceChildren(about, element("p", {}, ...prose(api.info.description)), ...sections, schemas);
  openTarget();
}

/** Opens what the address points to. */
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
}

async function draw() {
  document.documentElement.lang = language === 0 ? "zh-CN" : "en";
  document.getElementById("zh").setAttribute("aria-pressed", String(language === 0));
  document.getElementById("en").setAttribute("aria-pressed", String(language === 1));
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text);
  const message = document.getElementById("message");
  message.className = "";
  message.textContent = text("loading");
  try {
    const response = api ? null : await ask("/v1/openapi.json", { Accept: "application/json" });
    const body = response && (await response.json());
    document.getElementById("login").hidden = !response || response.status !== 401;
    if (response && !response.ok) throw new Error([body.detail, body.hint].filter(Boolean).join(". "));
    api = body || api;
    drawDocument();
    message.textContent = "";
  } catch (error) {
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
window.addEventListener("hashchange", openTarget);
draw();
