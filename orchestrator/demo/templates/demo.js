// The page of g3dr demo: sends a photo, asks how it stands, and shows what became of it. Names and sentences become text, never HTML.
{
  const RUNNING_PAUSE = 250, WAITING_PAUSE = 1000; // milliseconds between two questions
  const FIELD_OF_VIEW = 27, FIRST_TURN = [-13, 5];
  const KINDS = [
    [".glb", "GLB", "mesh"], [".ply", "PLY", "mesh"], [".mp4", "MP4", "video"], [".webp", "WebP", "animation"], ["_sheet.png", "PNG", "all views"],
  ];
  const at = id => document.getElementById(id);
  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const later = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  const size = bytes => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

  let offer = null, photo = null; // photo: {file, name} that was chosen last
  let turn = 0, job = null; // a newer turn ends what an older one was doing
  let kept = []; // object URLs of the result that is shown

  const ask = async (address, options = {}) => {
    let answer;
    try {
      answer = await fetch(address, options);
    } catch (error) {
      throw new Error("The demo does not answer: was it ended? Start it again with g3dr demo, then choose the photo again.");
    }
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || `The demo answered with error ${answer.status}.`);
    return answer;
  };

  const sentence = text => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
  const complain = text => {
    at("trouble").textContent = text ? sentence(text) : "";
    at("trouble").hidden = !text;
  };
  const say = (text, part = null) => {
    at("standing").hidden = !text;
    at("result").setAttribute("aria-busy", Boolean(text));
    if (at("said").textContent !== text) at("said").textContent = text;
    if (part === null) at("bar").removeAttribute("value");
    else at("bar").value = part;
  };

  const start = async (file, name) => {
    const mine = ++turn;
    photo = { file, name };
    if (job) ask(`/api/photographs/${job}`, { method: "DELETE" }).catch(() => {});
    job = null;
    complain("");
    try {
      if (file.size > offer.most_bytes) throw new Error(`this file has ${size(file.size)}; allowed: photos of at most ${size(offer.most_bytes)}`);
      say("Sending the photo");
      const query = new URLSearchParams({ name, model: at("model").value, alone: at("alone").checked ? "yes" : "no" });
      const sent = await ask(`/api/photographs?${query}`, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
      const started = (await sent.json()).photograph;
      if (mine !== turn) return void ask(`/api/photographs/${started}`, { method: "DELETE" }).catch(() => {});
      job = started;
      await follow(mine, started);
    } catch (error) {
      if (mine !== turn) return;
      job = null;
      say("");
      complain(error.message);
    }
  };

  const follow = async (mine, name) => {
    for (;;) {
      const found = await (await ask(`/api/photographs/${name}`)).json();
      if (mine !== turn) return;
      if (found.state === "failed") throw new Error(found.error);
      if (found.state === "withdrawn") throw new Error("this photo was withdrawn; choose it again");
      if (found.state === "done") return show(mine, name, found);
      if (found.state === "waiting") say(found.before === 1 ? "Waiting: one photo is before yours" : `Waiting: ${found.before} photos are before yours`);
      else say(sentence(found.doing || "beginning").slice(0, -1), found.part || null);
      await later(found.state === "waiting" ? WAITING_PAUSE : RUNNING_PAUSE);
    }
  };

  const show = async (mine, name, found) => {
    say("Fetching the object");
    const address = file => `/api/photographs/${name}/${encodeURIComponent(file)}`;
    const of = ending => Object.keys(found.files).find(file => file.endsWith(ending));
    const blob = async ending => (await ask(address(of(ending)))).blob();
    const [glb, film, moving, input, depth] = await Promise.all([".glb", ".mp4", ".webp", "_input.png", "_depth.png"].map(blob));
    if (mine !== turn) return;
    kept.forEach(URL.revokeObjectURL);
    const urls = [film, moving, input, depth].map(URL.createObjectURL);
    kept = urls;
    at("input").src = urls[2];
    at("depth").src = urls[3];
    at("film").replaceChildren(filmOf(urls[0], urls[1]));
    at("name").textContent = found.facts.name;
    at("input-caption").textContent = `What the model sees: ${found.facts.resolution} x ${found.facts.resolution} pixels`;
    at("depth-caption").textContent = `Its depth, by ${found.facts.estimator}: near is bright`;
    at("files").replaceChildren(...KINDS.filter(([ending]) => of(ending)).map(([ending, kind, purpose]) => {
      const text = `${purpose}, ${size(found.files[of(ending)])}`;
      return make("li", {}, make("a", { href: address(of(ending)), download: of(ending) }, make("b", { textContent: kind }), make("small", { textContent: text })));
    }));
    at("facts").textContent = `Made in ${found.facts.seconds} s by the model ${found.facts.model}.`;
    at("result").hidden = false;
    say("");
    job = null;
    await hold(await glb.arrayBuffer(), found.facts.name);
    if (mine !== turn) return;
    at("result").scrollIntoView({ block: "start" });
    at("name").focus({ preventScroll: true });
  };

  const filmOf = (film, moving) => {
    const video = make("video", { src: film, controls: true, loop: true, muted: true, playsInline: true, autoplay: !matchMedia("(prefers-reduced-motion: reduce)").matches });
    video.setAttribute("aria-label", "The object, turned once around");
    // Browsers without H.264 take the WebP.
    video.addEventListener("error", () => video.replaceWith(make("img", { src: moving, alt: "The object, turned once around" })));
    return video;
  };

  const hold = async (glb, name) => {
    const side = Math.round(at("object").getBoundingClientRect().width * Math.min(devicePixelRatio, 2));
    const canvas = Object.assign(g3drTurning.newCanvas(name), { width: side, height: side });
    for (const old of at("object").querySelectorAll("canvas")) release(old);
    try {
      await viewer();
      at("object").replaceChildren(canvas);
      const view = await g3drViewer.show(canvas, glb, { fieldOfView: FIELD_OF_VIEW });
      view.turn(...FIRST_TURN); // from the front it would look like the photo
      g3drTurning.listenToKeys(canvas, view);
      at("hint").hidden = false;
    } catch (error) {
      at("hint").hidden = true;
      at("object").replaceChildren(make("p", { className: "notice", textContent: "This browser cannot draw the object (WebGL is missing or switched off); the film shows it, and the files open in other programs." }));
    }
  };

  const viewer = () => (window.g3drViewer ? Promise.resolve() : new Promise((done, failed) => {
    document.head.append(make("script", { src: "/static/viewer.js", onload: done, onerror: failed }));
  }));

  // Browsers draw in a few places at a time only, and take those of old objects away late.
  const release = canvas => {
    canvas.addEventListener("webglcontextlost", event => event.stopImmediatePropagation(), true);
    canvas.getContext("webgl2")?.getExtension("WEBGL_lose_context")?.loseContext();
  };

  const choose = (file, name, example = null) => {
    for (const button of at("examples").children) button.setAttribute("aria-pressed", button === example);
    if (at("chosen").src) URL.revokeObjectURL(at("chosen").src);
    at("chosen").src = URL.createObjectURL(file);
    at("chosen").hidden = false;
    at("call").textContent = "Choose another photo";
    start(file, name);
  };

  const exampleButton = name => {
    const address = `/examples/${encodeURIComponent(name)}.png`;
    const button = make("button", { type: "button", title: name }, make("img", { src: address, alt: name.replace(/_\d+$/, "") }));
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", async () => {
      try {
        choose(await (await ask(address)).blob(), `${name}.png`, button);
      } catch (error) {
        complain(error.message);
      }
    });
    return button;
  };

  const first = files => [...(files || [])][0];
  const listenToFiles = () => {
    at("file").addEventListener("change", () => {
      const file = first(at("file").files);
      at("file").value = ""; // the same one may be chosen again
      if (file) choose(file, file.name);
    });
    document.addEventListener("dragover", event => {
      event.preventDefault();
      at("drop").classList.add("over");
    });
    document.addEventListener("dragleave", event => event.relatedTarget || at("drop").classList.remove("over"));
    document.addEventListener("drop", event => {
      event.preventDefault();
      at("drop").classList.remove("over");
      const file = first(event.dataTransfer.files);
      if (file) choose(file, file.name);
      else complain("what was dropped is no file; save the picture first, then drop or choose the file");
    });
    document.addEventListener("paste", event => {
      const file = first(event.clipboardData.files);
      if (file) choose(file, file.name);
    });
    at("chosen").addEventListener("error", () => { at("chosen").hidden = true; });
  };

  const begin = async () => {
    try {
      offer = await (await ask("/api/offer")).json();
    } catch (error) {
      return complain(error.message);
    }
    at("model").replaceChildren(...offer.models.map(({ name, label }) => make("option", { value: name, textContent: label })));
    for (const choice of ["model", "alone"]) at(choice).addEventListener("change", () => photo && start(photo.file, photo.name));
    at("alone-field").hidden = !offer.background;
    at("estimator").textContent = `Depth comes from ${offer.estimator}${offer.background ? `, the outline of the object from ${offer.background}` : ""}.`;
    at("where").textContent = ["127.0.0.1", "localhost"].includes(location.hostname)
      ? "Everything is computed on this machine; nothing leaves it."
      : `Photos are sent to ${location.hostname}, which computes everything and keeps nothing on its disk.`;
    at("examples").replaceChildren(...offer.examples.map(exampleButton));
    at("stop").addEventListener("click", () => {
      turn += 1;
      if (job) ask(`/api/photographs/${job}`, { method: "DELETE" }).catch(() => {});
      job = null;
      say("");
      at("file").focus();
    });
    listenToFiles();
    document.documentElement.dataset.ready = "yes";
  };
  begin();
}
