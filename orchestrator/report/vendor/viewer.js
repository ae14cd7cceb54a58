// Shows a GLB file of `g3dr reconstruct` in a canvas, to be turned by mouse, finger or program.
// Source of viewer.min.js, see README.md.

import { HemisphereLight, PerspectiveCamera, Scene, Spherical, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

const RADIUS = 5; // of the input camera, world units; it stands at +z
const FIELD_OF_VIEW = 41; // degrees: all of the box, from anywhere; the input camera has 18
const NEAREST = 1.5; // world units from the middle of the box
const FARTHEST = 9;

/**
 * Draws a file once it is read, and again whenever it is turned.
 * @param {HTMLCanvasElement} canvas Its size in pixels is that of the picture.
 * @param {ArrayBuffer} glb The file.
 * @param {{fieldOfView?: number}} options In degrees.
 * @returns {Promise<{turn: function(number, number=): void, turnBy: function(number, number): void, closer: function(number): void}>}
 *   `turn` draws from degrees to the right of the input camera, and above it; `turnBy` from degrees beside the present camera;
 *   `closer` divides the distance.
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
  const turnBy = (right, up) => {
    const toRadians = Math.PI / 180;
    const place = new Spherical().setFromVector3(camera.position);
    place.theta += right * toRadians;
    place.phi -= up * toRadians;
    camera.position.setFromSpherical(place.makeSafe());
    controls.update();
    draw();
  };
  const closer = factor => {
    camera.position.divideScalar(Math.min(Math.max(factor, camera.position.length() / FARTHEST), camera.position.length() / NEAREST));
    controls.update();
    draw();
  };
  [controls.minDistance, controls.maxDistance] = [NEAREST, FARTHEST];
  controls.addEventListener("change", draw);
  turn(0);
  return { turn, turnBy, closer };
}
