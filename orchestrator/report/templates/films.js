// Turning objects: one button and one slider for all of them.
{
  const films = document.getElementById("films");
  const start = () => {
    const play = document.getElementById("play"), turn = document.getElementById("turn");
    const seconds = parseFloat(getComputedStyle(films.querySelector("img")).animationDuration);
    let running = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    const show = () => {
      films.style.setProperty("--state", running ? "running" : "paused");
      play.textContent = running ? "Pause" : "Play";
    };
    play.addEventListener("click", () => { running = !running; show(); });
    turn.addEventListener("input", () => {
      running = false;
      for (const image of films.querySelectorAll("img")) for (const animation of image.getAnimations()) animation.currentTime = 10 * turn.value * seconds;
      show();
    });
    document.querySelector(".controls").hidden = false;
    show();
  };
  if (films) start();
}
