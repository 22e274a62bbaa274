# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The kernel in C, by way of Cython: what `naive` does, byte for byte, and some forty times as fast.

Orders are C structs in pools, prices a chunked sorted array, queues linked lists within the pool; no Python object is
made for an order, and the interpreter is let go while a batch is applied. The parts are in compiled/, named and ordered
as in the naive kernel, whose files explain the rules."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport fputs, stderr
from libc.stdlib cimport abort, calloc, free, malloc, qsort, realloc
from libc.string cimport memcpy, memmove, memset

from hashlib import sha256
from sys import byteorder

from borsa.matching.layout import OpenOrder
from borsa.matching.snapshot import DIGEST_BYTES, MAGIC

if byteorder != "little":
    raise ImportError("the compiled matching kernel is for little-endian machines")

cdef extern from "<stdlib.h>" nogil:
    void* aligned_alloc(size_t alignment, size_t size)

cdef extern from "Python.h":  # with pointers: Cython counts no references to a `bytes` that is not done
    PyObject* new_bytes "PyBytes_FromStringAndSize"(const char* content, Py_ssize_t size) except NULL
    char* start_of "PyBytes_AS_STRING"(PyObject* unfinished)
    int resize "_PyBytes_Resize"(PyObject** unfinished, Py_ssize_t size) except -1

include "compiled/records.pxi"
include "compiled/orders.pxi"
include "compiled/stops.pxi"
include "compiled/ladder.pxi"
include "compiled/results.pxi"
include "compiled/book.pxi"
include "compiled/incoming.pxi"
include "compiled/changes.pxi"
include "compiled/commands.pxi"
include "compiled/saved.pxi"


cdef class CompiledKernel:
    """A `Kernel` (its docstrings say what the methods promise)."""

    cdef Core* core
    cdef bint busy

    def __cinit__(self):
        self.core = new_core()

    def __dealloc__(self):
        free_core(self.core)

    def process(self, commands):
        cdef Py_buffer buffer
        cdef PyObject* made
        cdef Core* core = self.idle()
        if not isinstance(commands, bytes) and not memoryview(commands).readonly:
            commands = bytes(commands)  # another thread may write into it meanwhile: what was checked must be what is used
        PyObject_GetBuffer(commands, &buffer, PyBUF_SIMPLE)
        try:
            if buffer.len % RECORD_BYTES:
                raise ValueError(f"commands are records of {RECORD_BYTES} bytes")
            made = new_bytes(NULL, buffer.len * LIKELY_RESULTS)
            lend_results(core, start_of(made), buffer.len * LIKELY_RESULTS)
            self.busy = True
            with nogil:
                apply_all(core, <const char*>buffer.buf, buffer.len // RECORD_BYTES)
            self.busy = False
        finally:
            PyBuffer_Release(&buffer)
        if core.results_lent:
            resize(&made, core.results_used)
            results = <object>made
        else:
            results = PyBytes_FromStringAndSize(core.results, core.results_used)
            free(core.results)
        Py_DECREF(<object>made)
        return results

    def depth(self, market, levels):
        cdef Book* book = self.book_of(market)
        if book == NULL:
            return [], []
        return self.depth_of(&book.ladders[BUY], levels), self.depth_of(&book.ladders[SELL], levels)

    def quantity_at(self, market, side, price):
        cdef Book* book = self.book_of(market)
        cdef u32 number
        if book == NULL:
            return 0
        number = level_of(self.core, &book.ladders[SELL if side else BUY], price)
        return self.total_of(&self.core.levels[number]) if number else 0

    def last_price(self, market):
        cdef Book* book = self.book_of(market)
        return book.last_price if book else 0

    def state(self, market):
        cdef Book* book = self.book_of(market)
        return book.state if book else STATE_OPEN

    def open_orders(self):
        cdef Core* core = self.idle()
        cdef Book* book
        cdef u32 market
        orders = []
        for market in range(MARKETS):
            book = core.books[market]
            if book and has_state(book):
                self.list_orders(book, orders)
        return iter(orders)

    def snapshot(self):
        cdef Core* core = self.idle()
        cdef u32 market, count = 0
        books = []
        for market in range(MARKETS):
            if core.books[market] and has_state(core.books[market]):
                books.append(self.saved_book(core.books[market]))
                count += 1
        parts = [MAGIC, count.to_bytes(4, "little"), *books]
        digest = sha256()
        for part in parts:
            digest.update(part)
        return b"".join((*parts, digest.digest()))

    def restore(self, snapshot):
        cdef Core* core
        cdef bytes body
        cdef u32 count
        cdef bint sound = False
        self.idle()
        snapshot = bytes(snapshot)
        body, digest = snapshot[:-DIGEST_BYTES], snapshot[-DIGEST_BYTES:]
        if sha256(body).digest() != digest:
            raise ValueError("snapshot is damaged: its checksum does not match its content")
        if not body.startswith(MAGIC):
            raise ValueError("snapshot is of another format or version")
        core = new_core()
        start = len(MAGIC) + 4
        if len(body) >= start:
            count = int.from_bytes(body[start - 4 : start], "little")
            sound = restore_all(core, PyBytes_AS_STRING(body) + <size_t>start, len(body) - start, count)
        if not sound:
            free_core(core)
            raise ValueError("snapshot is of no state that a kernel can be in")
        free_core(self.core)
        self.core = core

    def state_hash(self):
        return self.snapshot()[-DIGEST_BYTES:].hex()

    cdef Core* idle(self) except NULL:
        # Taken with the interpreter's lock, so no two threads get by it.
        if self.busy:
            raise RuntimeError("the matching kernel is at work in another thread")
        return self.core

    cdef Book* book_of(self, market) except? NULL:
        cdef Core* core = self.idle()
        return core.books[<u32>market] if 0 <= market < MARKETS else NULL

    cdef list depth_of(self, const Ladder* ladder, levels):
        cdef const Chunk* chunk
        cdef const Level* level
        cdef u32 at = ladder.count, number
        found = []
        while at:
            at -= 1
            chunk = ladder.chunks[at]
            number = chunk.count
            while number:
                if len(found) >= levels:
                    return found
                number -= 1
                level = &self.core.levels[chunk.levels[number]]
                found.append((level.price, self.total_of(level)))
        return found

    cdef object total_of(self, const Level* level):
        return <object><u64>(level.total >> 64) << 64 | <object><u64>level.total

    cdef bytes saved_book(self, const Book* book):
        cdef u32 resting = count_resting(self.core, book)
        cdef size_t count = <size_t>resting + book.armed
        cdef bytes saved = PyBytes_FromStringAndSize(NULL, SAVED_BOOK_BYTES + count * SAVED_ORDER_BYTES)
        cdef u32* places = <u32*>checked(malloc((count + 1) * sizeof(u32)))
        list_places(self.core, book, places)
        save_book(self.core, book, resting, places, PyBytes_AS_STRING(saved))
        free(places)
        return saved

    cdef list_orders(self, const Book* book, list orders):
        cdef size_t count = <size_t>count_resting(self.core, book) + book.armed, number
        cdef u32* places = <u32*>checked(malloc((count + 1) * sizeof(u32)))
        cdef Incoming order
        list_places(self.core, book, places)
        try:
            for number in range(count):
                read_order(self.core, places[number], &order)
                orders.append(
                    OpenOrder(
                        order.market, order.order_id, order.owner, order.side, order.price, order.remaining,
                        order.filled + order.prevented + order.remaining, order.filled, order.order_type,
                        order.stop_price, bool(self.core.orders[places[number]].marks & MARK_ARMED),
                    )
                )
        finally:
            free(places)
