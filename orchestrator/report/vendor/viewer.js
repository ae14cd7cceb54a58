// Shows a GLB file of `g3dr reconstruct` in a canvas, to be turned by mouse, finger or program.
// Source of viewer.min.js, see README.md.

import { HemisphereLight, PerspectiveCamera, Scene, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

const RADIUS = 5; // of the input camera, world units; it stands at +z
const FIELD_OF_VIEW = 41; // degrees: all of the box, from anywhere; the input camera has 18

/**
 * Draws a file once it is read, and again whenever it is turned.
 * @param {HTMLCanvasElement} canvas Its size in pixels is that of the picture.
 * @param {ArrayBuffer} glb The file.
 * @param {{fieldOfView?: number}} options In degrees.
 * @returns {Promise<{turn: function(number, number=): void}>} `turn` draws from degrees to the right of the input camera, and above it.
 */
export async function show(canvas, glb, { fieldOfView = FIELD_OF_VIEW } = {}) {
  const renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
  renderer.setSize(canvas.width, canvas.height, false);
  const camera = new PerspectiveCamera(fieldOfView, canvas.width / canvas.height, 0.1, 50);
  const scene = new Scene();
  // Materials of ours are unlit; other files need light.
  scene.add((await new GLTFLoader().parseAsync(glb, "")).scene, new HemisphereLight(0xffffff, 0x888888, 3));
  const controls = new OrbitControls(camera, canvas);
  controls.enablePan = false;
  const draw = () => renderer.render(scene, camera);
  const turn = (right, up = 0) => {
    camera.position.setFromSphericalCoords(RADIUS, Math.PI / 2 - (up * Math.PI) / 180, (right * Math.PI) / 180);
    controls.update();
    draw();
  };
  controls.addEventListener("change", draw);
  turn(0);
  return { turn };
}
