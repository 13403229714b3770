/* Gradio's image sliders follow the mouse only. This makes their handles focusable, and
   moves them with the arrow keys, Home and End, as a mouse would. */
() => {
  const STEP = 16; // pixels, and one with Shift

  const image = (handle) =>
    handle.parentElement.querySelector("img").getBoundingClientRect();
  const middle = (box) => box.left + box.width / 2;

  function prepare(handle) {
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", "Border between the two pictures");
    handle.setAttribute("aria-valuemin", 0);
    handle.setAttribute("aria-valuemax", 100);
    handle.addEventListener("focus", () => describe(handle));
    describe(handle);
  }

  function describe(handle) {
    const { left, width } = image(handle);
    const share = width ? (middle(handle.getBoundingClientRect()) - left) / width : 0.5;
    handle.setAttribute("aria-valuenow", Math.round(100 * share));
  }

  function move(handle, x) {
    const { top } = handle.getBoundingClientRect();
    const mouse = (type, target, clientX) =>
      target.dispatchEvent(
        new MouseEvent(type, { clientX, clientY: top, bubbles: true, view: window }),
      );
    const inner = handle.querySelector(".inner");
    mouse("mousedown", inner, middle(handle.getBoundingClientRect()));
    mouse("mousemove", window, x);
    mouse("mouseup", window, x);
    requestAnimationFrame(() => describe(handle));
  }

  document.addEventListener("keydown", (event) => {
    const handle = event.target.closest('[data-testid="slider"]');
    if (!handle) return;
    const { left, right } = image(handle);
    const now = middle(handle.getBoundingClientRect());
    const step = event.shiftKey ? 1 : STEP;
    const x = {
      ArrowLeft: now - step,
      ArrowRight: now + step,
      Home: left,
      End: right,
    }[event.key];
    if (x === undefined) return;
    event.preventDefault();
    move(handle, Math.min(Math.max(x, left), right));
  });

  new MutationObserver(() =>
    document
      .querySelectorAll('[data-testid="slider"]:not([tabindex])')
      .forEach(prepare),
  ).observe(document.body, { childList: true, subtree: true });
}
