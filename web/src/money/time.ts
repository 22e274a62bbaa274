// Times of the wire (ISO 8601, UTC) as people read them, in their own time zone.

const two = (number: number): string => String(number).padStart(2, "0");

/** 14:03:59 */
export function clock(iso: string): string {
  const at = new Date(iso);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** 2026-11-23 */
export function day(iso: string): string {
  const at = new Date(iso);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** 2026-11-23 14:03:59 */
export function moment(iso: string): string {
  return `${day(iso)} ${clock(iso)}`;
}

/** How long ago, in one unit: "3 min". */
export function ago(iso: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(iso)) / 1000));
  if (seconds < 60) return "now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return day(iso);
}
