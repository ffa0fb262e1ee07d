// Numbers that come again for the same seed: what is broken when and where.

/** A generator of fractions in 0..1 (mulberry32). Each `name` has a sequence of its own. */
export function seeded(seed, name = "") {
  let state = seed >>> 0;
  for (const character of name) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193) >>> 0;
  const fraction = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    fraction,
    between: (low, high) => low + fraction() * (high - low),
    whole: (low, high) => low + Math.floor(fraction() * (high - low + 1)),
    pick: (list) => list[Math.floor(fraction() * list.length)],
    shuffle: (list) => {
      const copy = [...list];
      for (let last = copy.length - 1; last > 0; last -= 1) {
        const other = Math.floor(fraction() * (last + 1));
        [copy[last], copy[other]] = [copy[other], copy[last]];
      }
      return copy;
    },
  };
}
