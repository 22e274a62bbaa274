// CRC-32 (IEEE 802.3) of an ASCII text, as zlib has it.

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(text: string): number {
  let value = 0xffffffff;
  for (let at = 0; at < text.length; at++) value = (value >>> 8) ^ TABLE[(value ^ text.charCodeAt(at)) & 0xff]!;
  return (value ^ 0xffffffff) >>> 0;
}
