/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Text without surprises: exact numbers, slices, lines, and the one place where names from outside
 * are made safe to show.
 */

#include "util/base.h"

bool slice_eq(struct slice a, const char *b);
bool slice_eq2(struct slice a, struct slice b);
bool slice_starts(struct slice s, const char *prefix);
bool slice_ends(struct slice s, const char *suffix);
bool slice_holds_nocase(struct slice s, const char *word); /* ASCII */
int slice_cmp(struct slice a, struct slice b);

/* White space is what Perl's \s matches in ASCII: blank, \t, \n, \r, \f, \v. */
bool str_is_space(char c);
struct slice slice_trim(struct slice s);
struct slice slice_rtrim(struct slice s);

/* The part of @s from byte @from on; empty when @from is past the end. */
struct slice slice_from(struct slice s, size_t from);

/* Offset of the first @c in @s, or s.n. */
size_t slice_find(struct slice s, char c);

/* Takes the text up to @sep off the front of *rest; false once nothing is left. A trailing
 * separator yields one last empty piece only if @sep ended a non-empty rest, as Perl's split. */
bool slice_split(struct slice *rest, char sep, struct slice *ret_piece);

/* All of @s must be a decimal number that fits: no sign, no blank. False leaves *ret alone. */
bool str_to_u64(struct slice s, uint64_t *ret);
bool str_to_u32(struct slice s, uint32_t *ret);

/* The same for hexadecimal digits without a prefix. */
bool str_hex_to_u64(struct slice s, uint64_t *ret);

/* A Proxmox size: \d+(\.\d+)?[KMGT]?(i?B)? in bytes. */
bool str_to_size(struct slice s, uint64_t *ret);

/* "8.0 GiB": bytes for people, into @buf, which is returned. */
const char *str_human_size(uint64_t bytes, char buf[24]);

/* Length of the valid UTF-8 sequence at the start of @s, 0 if there is none. */
size_t str_utf8_len(struct slice s);
bool str_utf8_valid(struct slice s);
/* A byte below the blank, or DEL. */
bool str_has_control(struct slice s);

/* Columns that @s takes on a terminal: one per code point, zero for combining marks, two for East
 * Asian wide ones (approximated by their blocks). */
size_t str_width(const char *s);

/*
 * @s as it may be shown on a terminal or in a log: control characters and bytes that are not UTF-8
 * as \xNN, invisible and direction-changing code points as \u{...}; always terminated, cut at a
 * whole character when @size is too small.
 */
void str_printable(char *ret, size_t size, struct slice s);
