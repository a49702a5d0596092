"use strict";
// What the page does: choose a source, try it, start jobs; the queue comes as server-sent events.

let folder = "", source = null, tried = null, all = null;  // all: a folder of which each video is a job of its own

const say = (text) => { $("message").textContent = text; $("message").hidden = !text; };

const ask = async (path, method = "GET", body = undefined) => {
  try {
    const answer = await fetch(path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
    const found = answer.status === 204 ? {} : await answer.json();
    if (!answer.ok) { say(found.error); return null; }
    say("");
    return found;
  } catch {
    say("vsr does not answer: is it still running?");
    return null;
  }
};

const at = (path) => encodeURIComponent(path);

const showFolder = async (path) => {
  const found = await ask(`list?path=${at(path)}`);
  if (!found) return;
  folder = found.path;
  const parts = folder ? folder.split("/") : [];
  const crumb = (text, where) => {
    const button = make("button", { type: "button", textContent: text });
    button.addEventListener("click", () => showFolder(where));
    return make("li", {}, button);
  };
  $("crumbs").replaceChildren(
    crumb($("root").textContent, ""), ...parts.map((part, n) => crumb(part, parts.slice(0, n + 1).join("/"))));
  const images = found.entries.filter((one) => one.kind === "image").length;
  const items = found.entries.map(entry);
  if (images > 1 && folder) items.unshift(row(`All ${images} images as one video`, "", () => choose(folder), folder));
  const videos = found.entries.filter((one) => one.kind === "video" && !one.made).length;
  const folders = found.entries.filter((one) => one.kind === "folder").length;
  if (folders) items.unshift(wholeRow("All of this folder and its sub-folders", "", true));
  if (videos) items.unshift(wholeRow("All of this folder", `${videos} video${videos > 1 ? "s" : ""}`, false));
  if (!items.length) items.push(make("li", { className: "none", textContent: "No videos, images or folders here." }));
  $("entries").replaceChildren(...items);
};

const row = (name, about, act, path) => {
  const button = make(
    "button", { type: "button" }, make("span", { className: "name", textContent: name }),
    make("small", { textContent: about }));
  button.dataset.path = path;
  button.setAttribute("aria-pressed", String(path === (all ? all.key : source)));
  button.addEventListener("click", act);
  return make("li", {}, button);
};

const wholeRow = (name, about, recursive) => {
  const path = folder, key = `${recursive ? "**" : "*"}/${path}`;
  return row(name, about, () => {
    const where = path || $("root").textContent;
    all = { path, recursive, key, name: recursive ? `${where} and below` : `all of ${where}` };
    source = tried = null;
    show(key, all.name, "A job for each video; what is there already is skipped.");
  }, key);
};

const entry = (one) => {
  if (one.kind === "folder") {
    const item = row(`${one.name}/`, one.images ? `${one.images} images` : "folder", () => showFolder(one.path), one.path);
    item.firstChild.removeAttribute("aria-pressed");
    return item;
  }
  return row(one.name, `${one.made ? "made by vsr, " : ""}${sizeText(one.bytes)}`, () => choose(one.path), one.path);
};

const choose = async (path) => {
  const found = await ask(`info?path=${at(path)}`);
  if (!found) return;
  source = path;
  tried = all = null;
  const parts = [`${found.width}×${found.height}`];
  if (found.frames > 1) parts.push(`${found.frames} frames`, `${Number(found.rate.toFixed(3))} fps`);
  if (found.seconds && found.frames > 1) parts.push(timeText(found.seconds));
  parts.push(found.codec, ...(found.interlaced ? ["interlaced"] : []), ...(found.sounds ? ["with sound"] : []));
  show(path, path, parts.join(" · "));
};

const show = (key, name, about) => {
  document.querySelectorAll("#entries [aria-pressed]").forEach((button) =>
    button.setAttribute("aria-pressed", String(button.dataset.path === key)));
  $("chosen-name").textContent = name;
  $("chosen-about").textContent = about;
  $("chosen").hidden = false;
  refresh();
};

const ticked = () => [...document.querySelectorAll("[name=model]:checked")].map((box) => box.value);

const refresh = () => {
  const models = ticked(), model = tried || models.find(Boolean) || "";
  $("try").disabled = !source || !models.length;
  $("start").disabled = !(source || all) || !(tried || models.length);
  $("try").textContent = models.length > 1 ? `Try one frame with ${models.length} models` : "Try one frame";
  const name = all ? all.name : source && source.split("/").pop();
  $("start").textContent = name ? `Start: ${name}${model ? ` with ${model}` : ""}` : "Start";
};

const options = () => {
  const value = (id) => $(id).value || undefined, lines = value("height"), crf = value("crf"), how = value("deinterlace");
  const film = how === "detelecine";
  return {
    height: lines && Number(lines), content: value("content"), deinterlace: film ? "auto" : how, detelecine: film,
    square_pixels: $("square").checked || undefined, fps: value("fps"), codec: value("codec"), crf: crf && Number(crf),
    overwrite: $("overwrite").checked, restart: $("restart").checked,
  };
};

const upload = (file) => new Promise((resolve) => {
  const line = make("p"), request = new XMLHttpRequest();
  $("uploads").append(line);
  request.upload.addEventListener("progress", (event) => {
    line.textContent = `${file.name}: ${sizeText(event.loaded)} of ${sizeText(event.total)}`;
  });
  request.addEventListener("loadend", () => {
    line.remove();
    let found = null;
    try { found = JSON.parse(request.responseText); } catch { /* the server has gone */ }
    if (request.status === 201) { say(""); resolve(found.path); return; }
    say(found ? `${file.name}: ${found.error}` : `${file.name} could not be sent`);
    resolve(null);
  });
  request.open("PUT", `upload?name=${at(file.name)}`);
  request.send(file);
});

const take = async (files) => {
  let last = null;
  for (const file of files) last = (await upload(file)) || last;
  if (!last) return;
  await showFolder(last.slice(0, last.lastIndexOf("/")));
  await choose(last);
};

$("choose").addEventListener("click", () => $("files").click());
$("files").addEventListener("change", (event) => { take([...event.target.files]); event.target.value = ""; });
document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").classList.remove("over"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  take([...event.dataTransfer.files]);
});
$("models").addEventListener("change", () => { tried = null; refresh(); });
$("full").addEventListener("change", (event) => $("stage").classList.toggle("full", event.target.checked));
$("try").addEventListener("click", () => {
  const given = options();
  delete given.restart;
  const models = ticked();
  ask("trials", "POST", { path: source, models: models.filter(Boolean), picked: models.includes(""), options: given });
});
$("start").addEventListener("click", async () => {
  const given = options(), model = tried || ticked().find(Boolean);
  if (model) given.model = model;
  const asked = { path: all ? all.path : source, place: $("place").value, options: given };
  const added = await ask(all ? "jobs/all" : "jobs", "POST", all ? { ...asked, recursive: all.recursive } : asked);
  if (!added) return;
  $("restart").checked = false;
  if (all && !added.numbers.length) say("All of these are in the queue already.");
});

const act = (number, action) => ask(`jobs/${number}/${action}`, "POST", {});
const stop = (number) => ask(`trials/${number}/stop`, "POST", {});
const chosen = (path, model) => { if (path === source) { tried = model; refresh(); } };

const listen = () => {
  const news = new EventSource("events");
  let done = 0;
  news.addEventListener("open", () => say(""));
  news.addEventListener("error", () => say("The connection to vsr is lost: is it still running?"));
  news.addEventListener("message", (event) => {
    const now = JSON.parse(event.data), finished = now.jobs.filter((job) => job.state === "done").length;
    showJobs(now.jobs, act);
    showTrial(now.trial, chosen, stop);
    if (finished !== done) { done = finished; showFolder(folder); }
  });
};

const begin = async () => {
  const about = await ask("about");
  if (!about) return;
  document.title = `vsr: ${about.root}`;
  $("root").textContent = about.root;
  $("version").textContent = `vsr ${about.version}`;
  about.models.forEach((one) => {
    const box = make("input", { type: "checkbox", name: "model", value: one.name });
    const text = make("span", { textContent: one.name }, make("small", { textContent: `${one.use} · ${one.speed}` }));
    $("models-list").append(make("label", {}, box, text));
  });
  slide($("stage"), $("slider"));
  showTrial(null);
  await showFolder("");
  listen();
};
begin();
