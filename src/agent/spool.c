/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

#define COUNTS	      "counts.json"
#define COUNTS_SCHEMA "pvewarden.spool/1"
#define PARKED	      "parked"

enum { NAME_BYTES = 64 };

static void name_of(char buf[NAME_BYTES], const struct spool_entry *e)
{
	(void)snprintf(buf, NAME_BYTES, "%016" PRIu64 "-%" PRIu64 ".json", e->sequence, e->length);
}

static bool digits(struct slice s, uint64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || *ret > (UINT64_MAX - 9) / 10)
			return false;
		*ret = *ret * 10 + (uint64_t)(s.p[i] - '0');
	}
	return s.n > 0;
}

static bool entry_of(const char *file, struct spool_entry *ret)
{
	struct slice name = slice_of(file), sequence;

	if (!slice_ends(name, ".json"))
		return false;
	name.n -= strlen(".json");
	sequence = name;
	sequence.n = slice_find(name, '-');
	return sequence.n == 16 && sequence.n < name.n && digits(sequence, &ret->sequence) &&
	       digits(slice_from(name, sequence.n + 1), &ret->length);
}

/* --- counts ---------------------------------------------------------------------------------- */

static void read_counts(struct spool *s)
{
	CLEANUP(buf_done) struct buf text = {};
	json_t *doc = NULL;

	if (file_read_at(s->dirfd, COUNTS, 4096, &text) < 0 ||
	    json_parse(buf_slice(&text), COUNTS, &doc, NULL) < 0)
		return;
	(void)json_u64(doc, "next", &s->next);
	(void)json_u64(doc, "dropped", &s->dropped);
	(void)json_u64(doc, "parked", &s->parked);
	(void)json_u64(doc, "damaged", &s->damaged);
	json_decref(doc);
}

/* Counts are worth less than documents: what cannot be written is written next time. */
static void write_counts(const struct spool *s)
{
	CLEANUP(buf_done) struct buf text = {};
	struct jsonw w;

	jsonw_begin(&w, &text);
	jsonw_str(&w, "schema", COUNTS_SCHEMA);
	jsonw_u64(&w, "next", s->next);
	jsonw_u64(&w, "dropped", s->dropped);
	jsonw_u64(&w, "parked", s->parked);
	jsonw_u64(&w, "damaged", s->damaged);
	jsonw_end(&w);
	(void)file_write_atomic(s->dirfd, COUNTS, buf_slice(&text), 0600);
}

/* --- opening --------------------------------------------------------------------------------- */

static int by_sequence(const void *a, const void *b)
{
	const struct spool_entry *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void put_aside(struct spool *s, const char *file, uint64_t sequence, const char *why)
{
	char name[NAME_BYTES];

	(void)snprintf(name, sizeof(name), PARKED "/%016" PRIu64 ".why", sequence);
	(void)file_write_atomic(s->dirfd, name, slice_of(why), 0600);
	(void)snprintf(name, sizeof(name), PARKED "/%016" PRIu64 ".json", sequence);
	if (renameat(s->dirfd, file, s->dirfd, name) < 0)
		(void)unlinkat(s->dirfd, file, 0);
}

static void take_file(struct spool *s, const char *file)
{
	struct spool_entry e;
	struct stat st;

	if (!entry_of(file, &e)) {
		/* What a write that did not come to its end has left. */
		if (slice_ends(slice_of(file), ".tmp") &&
		    fstatat(s->dirfd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			(void)unlinkat(s->dirfd, file, 0);
		return;
	}
	if (e.sequence >= s->next)
		s->next = e.sequence + 1;
	if (fstatat(s->dirfd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != e.length) {
		s->damaged++;
		put_aside(s, file, e.sequence, "cut short by a crash\n");
		return;
	}
	*vec_push(s) = e;
	s->bytes += e.length;
}

static int read_folder(struct spool *s)
{
	int fd = openat(s->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return -errno;
	for (const struct dirent *entry; (entry = readdir(d));)
		if (entry->d_type != DT_DIR)
			take_file(s, entry->d_name);
	(void)closedir(d);
	if (s->n)
		qsort(s->items, s->n, sizeof(s->items[0]), by_sequence);
	return 0;
}

int spool_open(struct spool *ret, int dirfd, uint64_t max_bytes, struct err *e)
{
	struct spool s = { .dirfd = dirfd, .max_bytes = max_bytes, .next = 1 };
	int r = file_mkdirs(dirfd, PARKED, 0700);

	read_counts(&s);
	if (r == 0)
		r = read_folder(&s);
	if (r < 0) {
		vec_free(&s);
		return err_set(e, r, "the spool cannot be read: %s", strerror(-r));
	}
	*ret = s;
	return 0;
}

void spool_close(struct spool *s)
{
	write_counts(s);
	vec_free(s);
}

/* --- adding ---------------------------------------------------------------------------------- */

static void forget(struct spool *s, size_t i)
{
	s->bytes -= s->items[i].length;
	memmove(s->items + i, s->items + i + 1, (s->n - 1 - i) * sizeof(s->items[0]));
	s->n--;
}

static void make_room(struct spool *s, uint64_t length)
{
	char name[NAME_BYTES];
	bool any = false;

	while (s->n && s->bytes + length > s->max_bytes) {
		name_of(name, &s->items[0]);
		(void)unlinkat(s->dirfd, name, 0);
		forget(s, 0);
		s->dropped++;
		any = true;
	}
	if (any)
		write_counts(s);
}

int spool_add(struct spool *s, struct slice document, uint64_t *ret_sequence, struct err *e)
{
	struct spool_entry entry = { .sequence = s->next, .length = document.n };
	char name[NAME_BYTES];
	int r;

	if (document.n > s->max_bytes)
		return err_set(e, -EFBIG, "a document of %zu bytes is larger than the whole spool",
			       document.n);
	name_of(name, &entry);
	r = file_write_atomic(s->dirfd, name, document, 0600);
	if (r < 0)
		return err_set(e, r, "a document could not be kept: %s", strerror(-r));
	/* Only now: a disk that is full must not cost the old ones as well. */
	make_room(s, document.n);
	s->next++;
	*vec_push(s) = entry;
	s->bytes += entry.length;
	if (ret_sequence)
		*ret_sequence = entry.sequence;
	return 0;
}

/* --- taking ---------------------------------------------------------------------------------- */

static size_t place_of(const struct spool *s, uint64_t sequence)
{
	size_t i = 0;

	while (i < s->n && s->items[i].sequence != sequence)
		i++;
	return i;
}

int spool_oldest(struct spool *s, struct buf *ret, uint64_t *ret_sequence, struct err *e)
{
	char name[NAME_BYTES];

	while (s->n) {
		const struct spool_entry *oldest = &s->items[0];
		int r;

		name_of(name, oldest);
		r = file_read_at(s->dirfd, name, oldest->length, ret);
		if (r >= 0 && ret->len == oldest->length) {
			*ret_sequence = oldest->sequence;
			return 0;
		}
		/* An error that may pass is not the document's fault. */
		if (r < 0 && r != -ENOENT && r != -EFBIG)
			return err_set(e, r, "%s: %s", name, strerror(-r));
		s->damaged++;
		put_aside(s, name, oldest->sequence,
			  "it was changed or removed by somebody else\n");
		forget(s, 0);
		write_counts(s);
	}
	return -ENOENT;
}

void spool_done(struct spool *s, uint64_t sequence)
{
	size_t i = place_of(s, sequence);
	char name[NAME_BYTES];

	if (i == s->n)
		return;
	/* With the last file goes what says which numbers were used: no number may come twice. */
	if (s->n == 1)
		write_counts(s);
	name_of(name, &s->items[i]);
	(void)unlinkat(s->dirfd, name, 0);
	forget(s, i);
}

/* --- putting aside --------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* "NUMBER.json": how large it is. */
static uint64_t parked_bytes(int fd, uint64_t number)
{
	char name[NAME_BYTES];
	struct stat st;

	(void)snprintf(name, sizeof(name), "%016" PRIu64 ".json", number);
	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : (uint64_t)st.st_size;
}

static void remove_parked(int fd, uint64_t number)
{
	char name[NAME_BYTES];

	(void)snprintf(name, sizeof(name), "%016" PRIu64 ".json", number);
	(void)unlinkat(fd, name, 0);
	(void)snprintf(name, sizeof(name), "%016" PRIu64 ".why", number);
	(void)unlinkat(fd, name, 0);
}

/* The newest stay, up to a number, and to as many bytes as may wait. */
static void remove_oldest_parked(const struct spool *s)
{
	int fd = openat(s->dirfd, PARKED, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	VEC(uint64_t) numbers = {};
	uint64_t bytes = 0;

	for (const struct dirent *entry; d && (entry = readdir(d));) {
		struct slice n = slice_of(entry->d_name);
		uint64_t number;

		n.n = slice_find(n, '.');
		if (slice_ends(slice_of(entry->d_name), ".json") && digits(n, &number))
			*vec_push(&numbers) = number;
	}
	if (numbers.n)
		qsort(numbers.items, numbers.n, sizeof(uint64_t), by_number);
	for (size_t i = numbers.n; i-- > 0;) {
		bytes += parked_bytes(fd, numbers.items[i]);
		if (i + SPOOL_PARKED_MAX < numbers.n || bytes > s->max_bytes)
			remove_parked(fd, numbers.items[i]);
	}
	vec_free(&numbers);
	if (d)
		(void)closedir(d);
}

void spool_park(struct spool *s, uint64_t sequence, const char *why)
{
	size_t i = place_of(s, sequence);
	char name[NAME_BYTES];

	if (i == s->n)
		return;
	name_of(name, &s->items[i]);
	put_aside(s, name, sequence, why);
	forget(s, i);
	s->parked++;
	write_counts(s);
	remove_oldest_parked(s);
}

int64_t spool_backoff_ms(unsigned int tries, uint32_t random)
{
	int64_t limit = (int64_t)SPOOL_BACKOFF_FIRST_MS << (tries < 20 ? tries : 20);

	if (limit > SPOOL_BACKOFF_LONGEST_MS)
		limit = SPOOL_BACKOFF_LONGEST_MS;
	return 1 + (int64_t)random % limit;
}
