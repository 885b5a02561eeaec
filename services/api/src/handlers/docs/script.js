// Draws the OpenAPI document of this server. Text goes in as text nodes only, so nothing in it can become markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function nameOf(reference) {
  return reference.split("/").pop();
}

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return element("a", { href: "#schema-" + nameOf(schema.$ref) }, nameOf(schema.$ref));
  const several = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (several) {
    const parts = several.filter((part) => part.type !== "null").map(typeOf);
    return element("span", {}, ...parts.flatMap((part, index) => (index ? [" and ", part] : [part])));
  }
  const type = [].concat(schema.type ?? "any").filter((part) => part !== "null").join(" or ");
  if (type === "array") return element("span", {}, "list of ", typeOf(schema.items));
  return schema.format ? type + " (" + schema.format + ")" : type;
}

function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", {}, text)));
  return element("table", {}, head, ...rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell)))));
}

function named(name, required) {
  return element("code", required ? { class: "required" } : {}, name);
}

function fields(schema) {
  const whole = (schema.allOf ?? [schema]).filter((part) => part.properties);
  const rows = whole.flatMap((part) =>
    Object.entries(part.properties).map(([name, field]) => [
      named(name, (part.required ?? []).includes(name)), typeOf(field), field.description ?? "",
    ]));
  const bases = (schema.allOf ?? []).filter((part) => part.$ref).map((part) => ["all of", typeOf(part), ""]);
  return table(["Field", "Type", "Meaning"], [...bases, ...rows]);
}

function contentOf(content) {
  const [kind, media] = Object.entries(content ?? {})[0] ?? [];
  return kind ? element("span", {}, element("code", {}, kind), " ", typeOf(media.schema)) : "";
}

function route(api, path, method, operation) {
  const box = element("details", { id: operation.operationId, "data-text": (path + " " + method + " " + (operation.summary ?? "")).toLowerCase() });
  box.append(element("summary", {}, element("span", { class: "method " + method }, method), element("code", {}, path),
    element("span", { class: "summary" }, operation.summary ?? "")));
  for (const text of (operation.description ?? "").split("\n\n").filter(Boolean)) box.append(element("p", {}, text));
  if (operation.parameters?.length) {
    box.append(element("h4", {}, "Parameters"), table(["Name", "In", "Type", "Meaning"], operation.parameters.map((parameter) => [
      named(parameter.name, parameter.required), parameter.in, typeOf(parameter.schema), parameter.description ?? "",
    ])));
  }
  if (operation.requestBody) box.append(element("h4", {}, "Body"), contentOf(operation.requestBody.content));
  box.append(element("h4", {}, "Answers"), table(["Status", "What", "Content"], Object.entries(operation.responses).map(([status, given]) => {
    const answer = given.$ref ? api.components.responses[nameOf(given.$ref)] : given;
    return [element("code", {}, status), answer.description ?? "", contentOf(answer.content)];
  })));
  return box;
}

function draw(api) {
  document.getElementById("about").textContent = api.info.description + " Version " + api.info.version + ".";
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const group = item[method].tags?.[0] ?? "other";
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(route(api, path, method, item[method]));
    }
  }
  const main = document.getElementById("routes");
  const list = element("ul", {});
  for (const [group, boxes] of groups) {
    main.append(element("section", {}, element("h2", { id: "group-" + group }, group), ...boxes));
    list.append(element("li", {}, element("a", { href: "#group-" + group }, group)));
  }
  main.append(element("h2", { id: "schemas" }, "Schemas"));
  list.append(element("li", {}, element("a", { href: "#schemas" }, "schemas")));
  for (const [name, schema] of Object.entries(api.components?.schemas ?? {})) {
    main.append(element("details", { id: "schema-" + name, "data-text": name.toLowerCase() },
      element("summary", {}, element("code", {}, name), element("span", { class: "summary" }, schema.description ?? "")), fields(schema)));
  }
  main.append(element("h2", { id: "problems" }, "Problems"));
  list.append(element("li", {}, element("a", { href: "#problems" }, "problems")));
  main.append(table(["Code", "Status", "Title"], (api["x-problems"] ?? []).map((problem) => [
    element("code", { id: "problem-" + problem.code }, problem.code), String(problem.status), problem.title,
  ])));
  document.getElementById("contents").append(list);
}

function follow() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === "DETAILS") target.open = true;
  target?.scrollIntoView();
}

document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const box of document.querySelectorAll("details")) box.hidden = !box.dataset.text.includes(wanted);
});
window.addEventListener("hashchange", follow);

fetch("/api/v1/openapi.json")
  .then((answer) => answer.json())
  .then((api) => { draw(api); follow(); })
  .catch((error) => { document.getElementById("about").textContent = "The document could not be read: " + error; });
