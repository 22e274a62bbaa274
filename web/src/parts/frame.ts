// Drawing at most once a frame, however often there is something to draw.

/** Ask for `draw` at the next frame; several asks before it are one. */
export function framed(draw: () => void): { ask: () => void; stop: () => void } {
  let asked = 0;
  return {
    ask() {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        draw();
      });
    },
    stop() {
      cancelAnimationFrame(asked);
    },
  };
}
