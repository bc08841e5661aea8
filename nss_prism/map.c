/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "map.h"
#include "snapshot.h"

#ifdef SNAPSHOT_DIR_OVERRIDE /* tests and benchmarks build a second module */
#define SNAPSHOT_PATH SNAPSHOT_DIR_OVERRIDE "/" SNAPSHOT_IDENTITY
#else
#define SNAPSHOT_PATH SNAPSHOT_DIR "/" SNAPSHOT_IDENTITY
#endif

#ifdef __SANITIZE_THREAD__
/*
 * ThreadSanitizer takes a new mapping for a write by the program, and a reader that is still in the
 * region for a race with it. It is none: map.h says why. The call itself it does not know.
 */
#include <sys/syscall.h>
#define mmap(...) ((void *)syscall(SYS_mmap, __VA_ARGS__))
#endif

#define RETRY_MS      1000 /* between two attempts to open */
#define FIRST_WAIT_MS 2000 /* for another thread that maps the first one */

struct map_region *map_current;

static struct map_region regions[2];
static uint64_t retry_at; /* ms of the coarse clock */
static int last_error = ENOENT;
/*
 * The process that is mapping, 0: nobody. A child of fork() finds its parent's id here if another
 * thread was at it, and takes over: that thread does not exist in the child.
 */
static pid_t owner;

int map_error(void)
{
	return __atomic_load_n(&last_error, __ATOMIC_RELAXED);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool is_early(void)
{
	return now_ms() < __atomic_load_n(&retry_at, __ATOMIC_RELAXED);
}

static void not_before_long(void)
{
	__atomic_store_n(&retry_at, now_ms() + RETRY_MS, __ATOMIC_RELAXED);
}

static bool lock_try(void)
{
	pid_t self = getpid(), held = 0;

	if (__atomic_compare_exchange_n(
		&owner, &held, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return true;
	return held != self && __atomic_compare_exchange_n(
				   &owner, &held, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void lock_release(void)
{
	__atomic_store_n(&owner, 0, __ATOMIC_RELEASE);
}

/* ---- mapping ---------------------------------------------------------------------------- */

static size_t page_up(uint64_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size_t)(n + page - 1) & ~(page - 1);
}

static void *map_zeros(void *at, size_t length)
{
	return mmap(at, length, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);
}

/*
 * Give a region its place. In this order: a child of fork() may go on from anywhere in here, and it
 * maps over "length" bytes at "base". No length: it takes a new place.
 */
static void set_place(struct map_region *r, const uint8_t *base, size_t length)
{
	__atomic_store_n(&r->length, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&r->base, base, __ATOMIC_RELEASE);
	__atomic_store_n(&r->length, length, __ATOMIC_RELEASE);
}

/* A place of "length" bytes in a region that nobody is sent to, all zero. */
static uint8_t *make_room(struct map_region *r, size_t length)
{
	size_t want = length + length / 2 > 2 * r->length ? length + length / 2 : 2 * r->length;
	uint8_t *old = (uint8_t *)(uintptr_t)r->base;
	uint8_t *p;

	/* The zeros drop the file that was here; what is behind the new one stays zero. */
	if (r->length >= length) {
		if (map_zeros(old, r->length) != MAP_FAILED)
			return old;
		r->length = 0; /* as in map_file() */
		return NULL;
	}
	want = page_up(want);
	p = map_zeros(NULL, want);
	if (p == MAP_FAILED) {
		want = length;
		p = map_zeros(NULL, want);
	}
	if (p == MAP_FAILED)
		return NULL;
	/* Somebody may still be reading the small one; it must not keep its file on the disk. */
	if (r->length > 0)
		(void)map_zeros(old, r->length);
	set_place(r, p, want);
	return p;
}

/* The first file of all gets a place that fits: most processes see no second. */
static uint8_t *map_file(struct map_region *r, size_t size, int fd)
{
	uint8_t *p;

	if (!map_current && r->length == 0) {
		p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			return NULL;
		set_place(r, p, page_up(size));
		return p;
	}
	p = make_room(r, page_up(size));
	if (!p)
		return NULL;
	if (mmap(p, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		/* The kernel may have left a hole. Never touch this place again. */
		r->length = 0;
		return NULL;
	}
	return p;
}

static uint64_t range_within(uint32_t first, uint32_t last)
{
	if (first < SNAP_ID_FLOOR)
		first = SNAP_ID_FLOOR;
	if (last > SNAP_ID_LAST)
		last = SNAP_ID_LAST;
	if (first > last)
		return SNAP_ID_NONE; /* a first that nothing reaches, a last of 0 */
	return first | (uint64_t)last << 32;
}

static void store(uint64_t *field, uint64_t v)
{
	__atomic_store_n(field, v, __ATOMIC_RELAXED);
}

static void take_header(struct map_region *r, const struct snap_header *h)
{
	store(&r->size, h->size);
	store(&r->flags, h->flags);
	store(&r->seed, h->seed);
	store(&r->uids, range_within(h->uid_first, h->uid_last));
	store(&r->gids, range_within(h->gid_first, h->gid_last));
	for (unsigned i = 0; i <= SNAP_SEC_FILTER; i++) {
		const struct snap_extent *e = &h->section[i];

		store(&r->table[i],
		    e->offset / SNAP_ALIGN | (e->size / sizeof(struct snap_slot) - 1) << 32);
	}
}

/* Fill the region, which is not the current one. 0 or an errno; its seq stays odd on failure. */
static int region_fill(struct map_region *r, int fd, const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size, seq = map_load(&r->seq) | 1;
	uint8_t *base;

	__atomic_store_n(&r->seq, seq, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	base = map_file(r, size, fd);
	if (!base)
		return ENOMEM;
	if (snap_check_header(base, size, SNAP_IDENTITY) < 0)
		return EBADMSG;
	take_header(r, (const struct snap_header *)base);
	r->dev = (uint64_t)st->st_dev;
	r->ino = (uint64_t)st->st_ino;
	__atomic_store_n(&r->seq, seq + 1, __ATOMIC_RELEASE);
	return 0;
}

static int load_fd(int fd)
{
	struct map_region *r = map_current == &regions[0] ? &regions[1] : &regions[0];
	struct stat st;
	int e;

	if (fstat(fd, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode) || st.st_size < SNAP_HEADER_SIZE ||
	    (uint64_t)st.st_size > SNAP_SIZE_MAX)
		return EBADMSG;
	/* What we have is marked, and still has the name: nothing newer is there. */
	if (map_current && map_current->dev == (uint64_t)st.st_dev &&
	    map_current->ino == (uint64_t)st.st_ino)
		return EAGAIN;
	e = region_fill(r, fd, &st);
	if (e != 0)
		return e;
	__atomic_store_n(&map_current, r, __ATOMIC_RELEASE);
	return 0;
}

/* Map the file that has the name now. The caller has the lock. */
static void load(void)
{
	int fd = open(SNAPSHOT_PATH, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int e = fd < 0 ? errno : load_fd(fd);

	if (fd >= 0)
		close(fd);
	__atomic_store_n(&last_error, e, __ATOMIC_RELAXED);
	/* Also for the same file again: it must not be the cause of an attempt at each call. */
	if (e != 0)
		not_before_long();
}

/* The region that a slow caller found superseded may have got a new file since. */
static bool is_stale(const struct map_region *r)
{
	return !r || snap_load32(r->base + SNAP_SUPERSEDED_AT) != 0;
}

static bool load_locked(const struct map_region *old)
{
	int saved = errno, cancel;
	bool mine;

	/* open() is a cancellation point, and a cancelled thread would keep the lock for ever. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	mine = lock_try();
	if (mine) {
		if (map_current == old && is_stale(old) && !is_early())
			load();
		lock_release();
	}
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
	return mine;
}

bool map_refresh(const struct map_region *old)
{
	if (is_early())
		return false;
	load_locked(old);
	return __atomic_load_n(&map_current, __ATOMIC_ACQUIRE) != old;
}

struct map_region *map_first(void)
{
	uint64_t deadline = 0;

	for (;;) {
		struct map_region *r = __atomic_load_n(&map_current, __ATOMIC_ACQUIRE);

		if (r || is_early())
			return r;
		if (load_locked(NULL))
			continue;
		/* Another thread is at it, and there is nothing else to serve meanwhile. */
		if (deadline == 0)
			deadline = now_ms() + FIRST_WAIT_MS;
		else if (now_ms() > deadline)
			return NULL;
		sched_yield();
	}
}
