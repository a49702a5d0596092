"use strict";
// What the page shows of the queue and of a trial, and how numbers are written.

const $ = (id) => document.getElementById(id);

const make = (tag, about = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), about);
  made.append(...children);
  return made;
};

const sizeText = (bytes) => {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (bytes >= 1000 && at < units.length - 1) { bytes /= 1000; at += 1; }
  return `${at && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[at]}`;
};

const timeText = (seconds) => {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

const WORDS = {
  waiting: "waits", running: "running", pausing: "pausing at the next frame", paused: "paused",
  stopping: "stopping at the next frame", stopped: "stopped", done: "done", skipped: "skipped", failed: "failed",
};
const BUTTONS = {
  first: ["First", ["waiting"]],
  pause: ["Pause", ["waiting", "running"]],
  continue: ["Continue", ["paused", "stopped", "failed"]],
  stop: ["Stop", ["waiting", "running", "pausing", "paused"]],
  remove: ["Remove from the list", ["stopped", "done", "skipped", "failed"]],
};

// A job's row is made once and then changed, so that a button keeps the focus while frames are made.
const jobRow = (job, act) => {
  const row = make("li"), name = make("h3", { textContent: job.path }), state = make("span");
  const bar = make("progress", { max: 1 }), line = make("p"), about = make("p", { className: "lines" });
  const error = make("p", { className: "bad" }), lines = make("div", { className: "lines" });
  const download = make("a", { textContent: "Download", href: `jobs/${job.number}/result` });
  download.setAttribute("aria-label", `Download the result of ${job.path}`);
  bar.setAttribute("aria-label", `Progress of ${job.path}`);
  const buttons = Object.entries(BUTTONS).map(([action, [text, states]]) => {
    const button = make("button", { type: "button", textContent: text });
    button.setAttribute("aria-label", `${text}: ${job.path}`);
    button.addEventListener("click", () => act(job.number, action));
    return [button, states];
  });
  row.append(
    make("div", { className: "head" }, name, state), bar, line, about, error, lines,
    make("div", { className: "buttons" }, download, ...buttons.map(([button]) => button)),
  );
  row.show = (now) => {
    state.textContent = WORDS[now.state];
    state.className = { done: "good", failed: "bad" }[now.state] || "";
    bar.hidden = ["done", "skipped", "failed"].includes(now.state) || (now.state === "waiting" && !now.done);
    if (now.total) bar.value = now.done / now.total; else bar.removeAttribute("value");
    const parts = [];
    if (now.state === "done") {
      parts.push(`${now.output}`, `${now.size[0]}×${now.size[1]}`, `${now.done} frames`);
      if (now.bytes) parts.push(sizeText(now.bytes));
      if (now.seconds) parts.push(`made in ${timeText(now.seconds)}`);
    } else if (now.total || now.done) {
      parts.push(`frame ${now.done}${now.total ? ` of about ${now.total}` : ""}`);
      if (now.left !== null) parts.push(`${timeText(now.left)} left`);
    }
    line.textContent = parts.join(" · ");
    const how = Object.entries(now.options).filter(([key]) => key !== "model").map(([key, value]) => `${key} ${value}`);
    about.textContent = [now.model || now.options.model || "", ...how].filter(Boolean).join(" · ");
    error.textContent = now.state === "failed" ? now.text : "";
    lines.replaceChildren(...now.lines.map((text) => make("p", { textContent: text })));
    if (now.text && now.state !== "failed") lines.append(make("p", { textContent: now.text }));
    download.hidden = now.state !== "done" || !now.bytes;
    buttons.forEach(([button, states]) => { button.hidden = !states.includes(now.state); });
  };
  return row;
};

const rows = new Map();
const showJobs = (jobs, act) => {
  $("empty").hidden = jobs.length > 0;
  const list = $("jobs");
  for (const [number, row] of rows) {
    if (!jobs.some((job) => job.number === number)) { row.remove(); rows.delete(number); }
  }
  jobs.forEach((job, place) => {
    if (!rows.has(job.number)) rows.set(job.number, jobRow(job, act));
    const row = rows.get(job.number);
    row.show(job);
    if (list.children[place] !== row) list.insertBefore(row, list.children[place] || null);
  });
};

const triedRow = (trial, one, index, choose) => {
  const radio = make("input", { type: "radio", name: "tried", value: String(index) });
  radio.addEventListener("change", () => choose(index));
  const whole = make("td"), file = make("td");
  if (one.unknown) whole.append(make("span", { className: "bad", textContent: one.unknown }));
  else whole.textContent = one.seconds ? `about ${timeText(one.seconds)}` : "unknown";
  file.textContent = one.bytes ? `about ${sizeText(one.bytes)}` : "unknown";
  if (one.tight) file.append(make("span", { className: "bad", textContent: " — the disk may be too small" }));
  return make(
    "tr", {}, make("td", {}, make("label", {}, radio, one.model)),
    make("td", { textContent: `${one.size[0]}×${one.size[1]}` }), whole, file,
  );
};

let drawn = "", picked = 0;
const showTrial = (trial, chosen, stop) => {
  const state = $("trial-state"), busy = trial && ["waiting", "running"].includes(trial.state);
  if (!trial) {
    state.textContent = "One frame of the source is shown here, before and after, once you try it.";
    return;
  }
  if (busy) {
    const button = make("button", { type: "button", textContent: "Stop trying" });
    button.addEventListener("click", () => stop(trial.number));
    const frames = trial.text.startsWith("trying") ? `: frame ${trial.done} of ${trial.total}` : "";
    const text = `${trial.path}: ${trial.text || "beginning"}${frames}`;
    if (!state.querySelector("span")) {
      state.replaceChildren(make("div", { className: "row" }, make("span"), button));
    }
    state.querySelector("span").textContent = text;
  } else {
    const failed = trial.state === "failed";
    state.replaceChildren(make("p", { className: failed ? "bad" : "", textContent: failed ? trial.text : trial.path }));
  }
  $("shown").hidden = !trial.found.length;
  const signature = `${trial.number} ${trial.found.length}`;
  if (signature === drawn || !trial.found.length) return;
  if (!drawn.startsWith(`${trial.number} `)) picked = 0;
  drawn = signature;
  const picture = (index) => `trials/${trial.number}/${index}.jpg`;
  document.documentElement.style.setProperty("--wide", trial.shape[0]);
  document.documentElement.style.setProperty("--high", trial.shape[1]);
  Object.assign($("before"), { src: picture(0), alt: `before: ${trial.before}` });
  $("before-name").textContent = trial.before;
  const images = trial.found.map((one, index) =>
    make("img", { className: "after", src: picture(index + 1), alt: `after: ${one.model}` }));
  $("afters").replaceChildren(...images);
  const choose = (index) => {
    picked = index;
    images.forEach((image, at) => { image.hidden = at !== index; });
    $("after-name").textContent = trial.found[index].model;
    chosen(trial.path, trial.found[index].model);
  };
  $("tried").replaceChildren(...trial.found.map((one, index) => triedRow(trial, one, index, choose)));
  $("tried").querySelectorAll("input")[picked].checked = true;
  choose(picked);
};
