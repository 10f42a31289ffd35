/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * Feeds files to a fuzzer without libFuzzer: `replay_x NAME FILE-OR-FOLDER...`, folders with what
 * stands directly in them. An input that breaks a rule aborts the program.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fuzz_pve.h"
#include "util/file.h"

enum { INPUT_MAX = 16 * 1024 * 1024 };

static size_t inputs;

static int give_up(const char *path, int code)
{
	(void)fprintf(stderr, "%s: %s\n", path, strerror(-code));
	return 1;
}

static int replay_file(int dirfd, const char *path)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = file_read_at(dirfd, path, INPUT_MAX, &text);

	if (r < 0)
		return give_up(path, r);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)buf_str(&text), text.len);
	inputs++;
	return 0;
}

static int replay_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return give_up(path, -errno);
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = replay_file(dirfd(dir), entry->d_name);
	(void)closedir(dir);
	return r;
}

int main(int argc, char *argv[])
{
	for (int i = 2; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) < 0)
			return give_up(argv[i], -errno);
		if (S_ISDIR(st.st_mode) ? replay_folder(argv[i]) : replay_file(AT_FDCWD, argv[i]))
			return 1;
	}
	printf("%s: %zu inputs\n", argc > 1 ? argv[1] : "fuzzer", inputs);
	return inputs == 0;
}
