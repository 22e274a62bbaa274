// The short messages at the page's edge.

import { Close } from "./icons";
import { dismiss, notices } from "./notices";

export function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map((notice) => (
        <div key={notice.id} class={`notice ${notice.tone}`}>
          <strong class="cut">{notice.title}</strong>
          <button type="button" aria-label="Dismiss" onClick={() => dismiss(notice.id)}>
            <span class="tag-close">
              <Close />
            </span>
          </button>
          {notice.body && <p>{notice.body}</p>}
        </div>
      ))}
    </div>
  );
}
