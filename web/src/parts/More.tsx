// The button at the end of a list that has more.

export function More({ more }: { more: (() => void) | undefined }) {
  if (!more) return null;
  return (
    <div class="body">
      <button type="button" class="button wide" onClick={more}>
        More
      </button>
    </div>
  );
}
