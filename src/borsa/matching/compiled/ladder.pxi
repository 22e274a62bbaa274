# One side of a book: its levels sorted by key, in chunks. The key is the price, negated for sells, so that the best level
# is the last on both sides. A level comes and goes within one chunk (a few hundred bytes to move), wherever it is; the
# array of chunks is short enough to be searched and shifted at once. So a hundred thousand far levels cost little.

cdef enum:
    CHUNK_LEVELS = 128
    CHUNK_FEW = 32  # with fewer it looks for a neighbour to join, so that no pattern of orders leaves a chunk per level

cdef struct Chunk:
    u32 count
    u32 levels[CHUNK_LEVELS]
    i64 keys[CHUNK_LEVELS]

cdef struct Ladder:
    Chunk** chunks
    i64* firsts  # the least key of each chunk
    u32* known  # by the low bits of a price: the level of a price that ends so, or 0
    u32 known_mask
    u32 count
    u32 capacity
    u32 best  # the level that trades first; 0: this side is empty
    i64 best_key
    i64 sign


cdef inline u32 all_ones_if(bint true) noexcept nogil:
    # For steps without a branch: nobody can predict a binary search, and a wrong guess costs more than the step.
    return <u32>0 - <u32>true


cdef inline u32 chunk_for(const Ladder* ladder, i64 key) noexcept nogil:
    # The chunk in which a key is or belongs: the last that begins at or below it.
    cdef u32 low = 0, count = ladder.count, half
    if key >= ladder.firsts[count - 1]:
        return count - 1
    while count > 1:
        half = count >> 1
        low += half & all_ones_if(ladder.firsts[low + half] <= key)
        count -= half
    return low


cdef inline u32 place_in(const Chunk* chunk, i64 key) noexcept nogil:
    # How many of its keys are below this one.
    cdef const i64* keys = chunk.keys
    cdef u32 low = 0, count = chunk.count, half
    while count > 1:
        half = count >> 1
        low += half & all_ones_if(keys[low + half - 1] < key)
        count -= half
    return low + (keys[low] < key)


cdef void add_chunk(Ladder* ladder, u32 at) noexcept nogil:
    cdef u32 capacity, moved = ladder.count - at
    if ladder.count == ladder.capacity:
        capacity = ladder.capacity * 2 if ladder.capacity else 4
        ladder.chunks = <Chunk**>checked(realloc(ladder.chunks, capacity * sizeof(void*)))
        ladder.firsts = <i64*>checked(realloc(ladder.firsts, capacity * sizeof(i64)))
        ladder.capacity = capacity
        free(ladder.known)  # searches fill the new one
        ladder.known = <u32*>checked(calloc(capacity * (CHUNK_LEVELS // 2), sizeof(u32)))
        ladder.known_mask = capacity * (CHUNK_LEVELS // 2) - 1
    memmove(&ladder.chunks[at + 1], &ladder.chunks[at], moved * sizeof(void*))
    memmove(&ladder.firsts[at + 1], &ladder.firsts[at], moved * sizeof(i64))
    ladder.chunks[at] = <Chunk*>checked(malloc(sizeof(Chunk)))
    ladder.chunks[at].count = 0
    ladder.count += 1


cdef void drop_chunk(Ladder* ladder, u32 at) noexcept nogil:
    cdef u32 moved = ladder.count - at - 1
    free(ladder.chunks[at])
    memmove(&ladder.chunks[at], &ladder.chunks[at + 1], moved * sizeof(void*))
    memmove(&ladder.firsts[at], &ladder.firsts[at + 1], moved * sizeof(i64))
    ladder.count -= 1


cdef void split_chunk(Ladder* ladder, u32 at) noexcept nogil:
    add_chunk(ladder, at + 1)
    join(ladder.chunks[at + 1], ladder.chunks[at], CHUNK_LEVELS // 2)
    ladder.firsts[at + 1] = ladder.chunks[at + 1].keys[0]


cdef void join(Chunk* to, Chunk* source, u32 start) noexcept nogil:
    # Append what `source` has from `start` on.
    cdef u32 moved = source.count - start
    memcpy(&to.keys[to.count], &source.keys[start], moved * sizeof(i64))
    memcpy(&to.levels[to.count], &source.levels[start], moved * sizeof(u32))
    to.count += moved
    source.count = start


cdef void thin_out(Ladder* ladder, u32 at) noexcept nogil:
    # A chunk has lost a level: drop it if it is empty, join it with a neighbour if both have few.
    if ladder.chunks[at].count == 0:
        drop_chunk(ladder, at)
    elif at + 1 < ladder.count and fits_in_one(ladder, at):
        join(ladder.chunks[at], ladder.chunks[at + 1], 0)
        drop_chunk(ladder, at + 1)
    elif at and fits_in_one(ladder, at - 1):
        join(ladder.chunks[at - 1], ladder.chunks[at], 0)
        drop_chunk(ladder, at)


cdef inline bint fits_in_one(const Ladder* ladder, u32 at) noexcept nogil:
    # With room to spare, or the next level would split them again.
    return ladder.chunks[at].count + ladder.chunks[at + 1].count <= CHUNK_LEVELS // 2


cdef inline u32* known_slot(const Ladder* ladder, i64 price) noexcept nogil:
    # Most orders come to a price that has a level, and prices near one another have slots of their own: so most levels
    # are found without a search, which cannot be asked for ahead and whose every step waits for the one before. What a
    # slot names is there; that it is the level of this price is for the caller to see.
    return &ladder.known[<u64>price & ladder.known_mask]


cdef u32 add_level(Core* core, Ladder* ladder, u32 at, u32 place, i64 key) noexcept nogil:
    cdef u32 level = take_level(core, key * ladder.sign)
    cdef Chunk* chunk
    if ladder.count == 0:
        add_chunk(ladder, 0)
    elif ladder.chunks[at].count == CHUNK_LEVELS:
        split_chunk(ladder, at)
        if place > CHUNK_LEVELS // 2:
            at += 1
            place -= CHUNK_LEVELS // 2
    chunk = ladder.chunks[at]
    memmove(&chunk.keys[place + 1], &chunk.keys[place], (chunk.count - place) * sizeof(i64))
    memmove(&chunk.levels[place + 1], &chunk.levels[place], (chunk.count - place) * sizeof(u32))
    chunk.keys[place] = key
    chunk.levels[place] = level
    chunk.count += 1
    if place == 0:
        ladder.firsts[at] = key
    if not ladder.best or key > ladder.best_key:
        ladder.best = level
        ladder.best_key = key
    known_slot(ladder, key * ladder.sign)[0] = level
    return level


cdef inline u32 level_at(Core* core, Ladder* ladder, i64 price) noexcept nogil:
    # The level of a price, made if it is not there.
    cdef i64 key = price * ladder.sign
    cdef u32 at, place
    cdef u32* slot
    cdef Chunk* chunk
    if ladder.best == 0:
        return add_level(core, ladder, 0, 0, key)
    if key == ladder.best_key:
        return ladder.best
    slot = known_slot(ladder, price)
    if slot[0] and core.levels[slot[0]].price == price:
        return slot[0]
    at = chunk_for(ladder, key)
    chunk = ladder.chunks[at]
    place = place_in(chunk, key)
    if place < chunk.count and chunk.keys[place] == key:
        slot[0] = chunk.levels[place]
        return slot[0]
    return add_level(core, ladder, at, place, key)


cdef u32 level_of(const Core* core, const Ladder* ladder, i64 price) noexcept nogil:
    # The level of a price; 0 if there is none.
    cdef i64 key = price * ladder.sign
    cdef u32 number, place
    cdef const Chunk* chunk
    if ladder.best == 0:
        return 0
    number = known_slot(ladder, price)[0]
    if number and core.levels[number].price == price:
        return number
    chunk = ladder.chunks[chunk_for(ladder, key)]
    place = place_in(chunk, key)
    return chunk.levels[place] if place < chunk.count and chunk.keys[place] == key else 0


cdef void drop_level(Core* core, Ladder* ladder, u32 number) noexcept nogil:
    cdef i64 key = core.levels[number].price * ladder.sign
    cdef bint was_best = number == ladder.best
    cdef u32 at = ladder.count - 1 if was_best else chunk_for(ladder, key)
    cdef Chunk* chunk = ladder.chunks[at]
    cdef u32 place = chunk.count - 1 if was_best else place_in(chunk, key)
    cdef u32* slot = known_slot(ladder, core.levels[number].price)
    if slot[0] == number:
        slot[0] = 0
    free_level(core, number)
    chunk.count -= 1
    memmove(&chunk.keys[place], &chunk.keys[place + 1], (chunk.count - place) * sizeof(i64))
    memmove(&chunk.levels[place], &chunk.levels[place + 1], (chunk.count - place) * sizeof(u32))
    if place == 0 and chunk.count:
        ladder.firsts[at] = chunk.keys[0]
    if chunk.count < CHUNK_FEW:
        thin_out(ladder, at)
    if was_best:
        ladder.best = 0
        if ladder.count:
            chunk = ladder.chunks[ladder.count - 1]
            ladder.best = chunk.levels[chunk.count - 1]
            ladder.best_key = chunk.keys[chunk.count - 1]


cdef inline void append(Core* core, Ladder* ladder, u32 place) noexcept nogil:
    # To the back of its price's queue.
    cdef Order* order = &core.orders[place]
    cdef u32 number = level_at(core, ladder, order.price)
    cdef Level* level = &core.levels[number]
    order.level = number
    order.next = 0
    order.previous = level.tail
    if level.tail:
        core.orders[level.tail].next = place
    else:
        level.head = place
    level.tail = place
    level.total += <u64>order.remaining


cdef inline void unlink(Core* core, Ladder* ladder, u32 place) noexcept nogil:
    # Off the book, with whatever it has left.
    cdef Order* order = &core.orders[place]
    cdef Level* level = &core.levels[order.level]
    cdef u32 before = order.previous, behind = order.next
    level.total -= <u64>order.remaining
    if before:
        core.orders[before].next = behind
    else:
        level.head = behind
    if behind:
        core.orders[behind].previous = before
    else:
        level.tail = before
    if level.head == 0:
        drop_level(core, ladder, order.level)


cdef inline void reduce(Core* core, Ladder* ladder, u32 place, i64 quantity) noexcept nogil:
    # Lower in place; an order that has nothing left leaves the book.
    cdef Order* order = &core.orders[place]
    if quantity == order.remaining:
        unlink(core, ladder, place)
    else:
        core.levels[order.level].total -= <u64>quantity
    order.remaining -= quantity
