/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/probe_text.h"

void probe_text_add(struct probe_text *t, const char *s)
{
	size_t n = strlen(s);

	if (n > sizeof(t->data) - t->n)
		return;
	memcpy(t->data + t->n, s, n);
	t->n = (uint16_t)(t->n + n);
}

void probe_text_number(struct probe_text *t, uint32_t n)
{
	char digits[11], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	probe_text_add(t, p);
}
