/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A volume's content as Proxmox moves it between nodes, format "raw+size": its size in bytes as an
 * unsigned 64-bit little-endian number, then that many bytes (PVE::Storage::Plugin,
 * write_common_header and read_common_header).
 */

#include "util/err.h"

enum { STREAM_HEADER = 8, STREAM_BLOCK = 1024 * 1024, STREAM_HOLE = 64 * 1024 };

void stream_header_write(uint64_t size, uint8_t ret[STREAM_HEADER]);
uint64_t stream_header_read(const uint8_t header[STREAM_HEADER]);

/* Header and @size bytes of @in to @out. -ENODATA: @in has less. */
int stream_export(int in, uint64_t size, int out, struct err *e);

/* Reads the header from @in. -ENODATA: @in ended in it; -EINVAL: no size that a volume can have. */
int stream_header_take(int in, uint64_t *ret, struct err *e);

/*
 * Exactly @size bytes of @in to the start of @out, on the disk when it returns. @sparse: @out reads
 * zeros as it is, so blocks of zeros are left out. -ENODATA: @in ended before; -EFBIG: it went on.
 */
int stream_import(int in, uint64_t size, int out, bool sparse, struct err *e);

/* Bytes of a block device or a regular file. */
int stream_size_of(int fd, uint64_t *ret, struct err *e);
