/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/lines.h"

/* A name with something waiting; it goes when its line is empty. */
struct line {
	struct line *next;  /* of the same chain */
	struct line *after; /* in the ring of turns */
	struct queue_item *first, **end;
	char name[LINE_NAME_MAX];
};

static struct line **find(struct lines *l, const char *name)
{
	struct line **at;
	size_t h = 5381;

	for (const char *c = name; *c; c++)
		h = h * 33 + (unsigned char)*c;
	for (at = &l->chains[h % LINES_CHAINS]; *at; at = &(*at)->next)
		if (strncmp((*at)->name, name, LINE_NAME_MAX - 1) == 0)
			break;
	return at;
}

static void to_the_end(struct lines *l, struct line *line)
{
	line->after = NULL;
	if (l->last)
		l->last->after = line;
	else
		l->turn = line;
	l->last = line;
}

static struct line *line_of(struct lines *l, const char *name)
{
	struct line **at = find(l, name);

	if (!*at) {
		*at = xcalloc(1, sizeof(**at));
		memccpy((*at)->name, name, '\0', sizeof((*at)->name) - 1);
		(*at)->end = &(*at)->first;
		to_the_end(l, *at);
	}
	return *at;
}

void lines_put(struct lines *l, struct queue_item *item)
{
	struct line *line = line_of(l, item->org);

	item->next = NULL;
	*line->end = item;
	line->end = &item->next;
	l->n++;
}

struct queue_item *lines_take(struct lines *l)
{
	struct line *line = l->turn;
	struct queue_item *item;

	if (!line)
		return NULL;
	item = line->first;
	l->turn = line->after;
	if (!l->turn)
		l->last = NULL;
	line->first = item->next;
	l->n--;
	if (line->first) {
		to_the_end(l, line);
	} else {
		struct line **at = find(l, line->name);

		*at = line->next;
		free(line);
	}
	return item;
}

const struct queue_item *lines_peek(const struct lines *l)
{
	return l->turn ? l->turn->first : NULL;
}
