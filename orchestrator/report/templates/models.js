// Objects to be turned by hand. The viewer is a large script: it is read when the first object is asked for.
{
  const FIELD_OF_VIEW = 30; // degrees: near the poster's 18, with room to turn
  const readBytes = text => Uint8Array.from(atob(text.trim()), letter => letter.charCodeAt(0));

  const loadViewer = () => {
    if (typeof g3drViewer !== "undefined") return;
    const script = document.createElement("script");
    script.textContent = document.getElementById("viewer").textContent;
    document.body.append(script);
  };

  const open = async figure => {
    const poster = figure.querySelector(".poster"), said = figure.querySelector(".said");
    const canvas = g3drTurning.newCanvas(figure.querySelector("figcaption").textContent), { width, height } = poster.getBoundingClientRect();
    [canvas.width, canvas.height] = [width, height].map(side => Math.round(side * Math.min(devicePixelRatio, 2)));
    poster.disabled = true;
    said.textContent = "Reading\u2026";
    try {
      loadViewer();
      const view = await g3drViewer.show(canvas, readBytes(figure.querySelector(".glb").value).buffer, { fieldOfView: FIELD_OF_VIEW });
      poster.replaceWith(canvas);
      g3drTurning.listenToKeys(canvas, view);
      canvas.focus();
      said.textContent = "";
    } catch (error) {
      said.textContent = "This browser cannot draw it (WebGL is missing or switched off); the saved file opens in other programs.";
    }
  };

  const save = figure => {
    const name = `${figure.dataset.name.replaceAll(/[^\w.-]+/g, "_")}.glb`;
    const link = Object.assign(document.createElement("a"), { download: name });
    link.href = URL.createObjectURL(new Blob([readBytes(figure.querySelector(".glb").value)], { type: "model/gltf-binary" }));
    link.click();
    URL.revokeObjectURL(link.href);
  };

  for (const figure of document.querySelectorAll("figure.model")) {
    const poster = figure.querySelector(".poster"), saving = figure.querySelector(".save");
    figure.querySelector(".said").textContent = "";
    poster.disabled = saving.hidden = false;
    poster.addEventListener("click", () => open(figure));
    saving.addEventListener("click", () => save(figure));
  }
}
