/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/probe_http.h"

/* "HTTP/1.1 200", where 'd' stands for a digit. */
static const char line[] = "HTTP/1.d ddd";

enum { CODE_AT = 9, CODE_END = sizeof(line) - 1 };

void probe_http_request(const struct probe_target *target, struct probe_text *ret)
{
	probe_text_add(ret, "GET ");
	probe_text_add(ret, target->path);
	probe_text_add(ret, " HTTP/1.1\r\nHost: ");
	probe_text_add(ret, target->host);
	probe_text_add(ret,
		       "\r\nUser-Agent: pvewarden\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

static enum probe_http_state status_byte(struct probe_http *h, char c)
{
	bool digit = c >= '0' && c <= '9';

	if (line[h->at] == 'd' ? !digit : c != line[h->at])
		return PROBE_HTTP_BAD;
	if (h->at >= CODE_AT)
		h->status = (uint16_t)(h->status * 10 + (c - '0'));
	h->at++;
	return h->at == CODE_END && h->status < 100 ? PROBE_HTTP_BAD : PROBE_HTTP_MORE;
}

/* Behind the code: a reason that nobody reads. It counts once the line has ended, because a server
 * that never comes that far answers no browser either. */
static enum probe_http_state reason_byte(struct probe_http *h, char c)
{
	if (h->at == CODE_END && c != ' ' && c != '\r' && c != '\n')
		return PROBE_HTTP_BAD;
	h->at = CODE_END + 1;
	if (c != '\n')
		return PROBE_HTTP_MORE;
	/* 101 is the end of HTTP on this connection; of the others a final answer follows. */
	if (h->status >= 200 || h->status == 101)
		return PROBE_HTTP_DONE;
	*h = (struct probe_http){ .interim = true };
	return PROBE_HTTP_MORE;
}

/* The header of an interim answer ends with an empty line; at is then the length of this one. */
static void interim_byte(struct probe_http *h, char c)
{
	if (c == '\n') {
		h->interim = h->at != 0;
		h->at = 0;
	} else if (c != '\r') {
		h->at = 1;
	}
}

enum probe_http_state probe_http_feed(struct probe_http *h, const void *data, size_t n)
{
	const char *p = data;

	for (size_t i = 0; i < n && h->state == PROBE_HTTP_MORE; i++) {
		if (h->interim)
			interim_byte(h, p[i]);
		else if (h->at < CODE_END)
			h->state = (uint8_t)status_byte(h, p[i]);
		else
			h->state = (uint8_t)reason_byte(h, p[i]);
	}
	return h->state;
}
