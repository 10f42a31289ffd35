/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/restfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "array/rest.h"
#include "util/clock.h"
#include "util/file.h"

enum { FILE_MAX = 64 * 1024, WAIT_MS = 1500, YOUNG_S = 5, LOCK_PAUSE_MS = 20 };

struct restfiles {
	pthread_mutex_t lock;
	unsigned int users; /* the owner, and threads under way */
	unsigned int stuck; /* threads in the shared folder that were given up and are not back */
	char *shared_dir, *private_dir;
};

/* What a thread does. It is freed by whoever looks at it last. */
struct job {
	struct restfiles *files;
	bool write, shared;
	char *dir, *path;
	struct resttoken token;
	pthread_cond_t done_cond;
	bool done, abandoned;
	int result;
};

struct restfiles *restfiles_open(const char *shared_dir, const char *private_dir)
{
	struct restfiles *f = xcalloc(1, sizeof(*f));

	(void)pthread_mutex_init(&f->lock, NULL);
	f->users = 1;
	f->shared_dir = shared_dir ? xstrdup(shared_dir) : NULL;
	f->private_dir = private_dir ? xstrdup(private_dir) : NULL;
	return f;
}

void restfiles_close(struct restfiles *f)
{
	bool last;

	if (!f)
		return;
	(void)pthread_mutex_lock(&f->lock);
	last = --f->users == 0;
	(void)pthread_mutex_unlock(&f->lock);
	if (!last)
		return;
	(void)pthread_mutex_destroy(&f->lock);
	free(f->shared_dir);
	free(f->private_dir);
	free(f);
}

/* --- what runs in a thread ------------------------------------------------------------------- */

static int read_token(const char *path, struct resttoken *ret)
{
	CLEANUP(buf_wipe) struct buf text = {};
	int r = file_read_at(AT_FDCWD, path, FILE_MAX, &text);

	return r < 0 ? r : resttoken_parse(buf_slice(&text), ret, NULL);
}

static int write_token(const char *dir, const char *path, const struct resttoken *t)
{
	CLEANUP(buf_wipe) struct buf text = {};
	struct resttoken there;
	int64_t now = clock_now();
	int r = file_mkdirs(AT_FDCWD, dir, 0700);

	if (r < 0)
		return r;
	if (read_token(path, &there) == 0 && there.created > now - YOUNG_S &&
	    there.created <= now + YOUNG_S)
		return 1;
	resttoken_write(t, &text);
	return file_write_atomic(AT_FDCWD, path, buf_slice(&text), 0600);
}

static void free_job(struct job *j)
{
	struct restfiles *f = j->files;

	(void)pthread_cond_destroy(&j->done_cond);
	explicit_bzero(&j->token, sizeof(j->token));
	free(j->dir);
	free(j->path);
	free(j);
	restfiles_close(f);
}

static void *run(void *arg)
{
	struct job *j = arg;
	int r = j->write ? write_token(j->dir, j->path, &j->token) : read_token(j->path, &j->token);
	bool mine;

	(void)pthread_mutex_lock(&j->files->lock);
	j->result = r;
	j->done = true;
	mine = j->abandoned;
	if (mine && j->shared)
		j->files->stuck--;
	(void)pthread_cond_signal(&j->done_cond);
	(void)pthread_mutex_unlock(&j->files->lock);
	if (mine)
		free_job(j);
	return NULL;
}

/* --- and who waits for it -------------------------------------------------------------------- */

static struct job *new_job(struct restfiles *f, const char *dir, const char *name, bool write)
{
	CLEANUP(buf_done) struct buf path = {};
	struct job *j = xcalloc(1, sizeof(*j));
	pthread_condattr_t attr;

	buf_addf(&path, "%s/%s", dir, name);
	j->files = f;
	j->write = write;
	j->shared = dir == f->shared_dir;
	j->dir = xstrdup(dir);
	j->path = xstrdup(buf_str(&path));
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&j->done_cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	return j;
}

/* Under the lock. A shared folder that hangs is left alone until its thread is back. */
static bool start(struct job *j)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (j->shared && j->files->stuck)
		return false;
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, run, j);
	(void)pthread_attr_destroy(&attr);
	return r == 0;
}

/* The job's own result, with its token in @t; -ETIMEDOUT when it hangs. Takes the job. */
static int wait_for(struct job *j, struct resttoken *t)
{
	struct restfiles *f = j->files;
	struct timespec until = rest_timespec(rest_now_ms() + WAIT_MS);
	bool done;
	int r = -ETIMEDOUT;

	(void)pthread_mutex_lock(&f->lock);
	f->users++;
	if (!start(j)) {
		(void)pthread_mutex_unlock(&f->lock);
		free_job(j);
		return -ETIMEDOUT;
	}
	while (!j->done && pthread_cond_timedwait(&j->done_cond, &f->lock, &until) != ETIMEDOUT)
		;
	done = j->done;
	if (done) {
		r = j->result;
		*t = j->token;
	}
	j->abandoned = !done;
	if (!done && j->shared)
		f->stuck++;
	(void)pthread_mutex_unlock(&f->lock);
	if (done)
		free_job(j);
	return r;
}

static int in_folder(struct restfiles *f, const char *dir, const char *name, bool write,
		     struct resttoken *t)
{
	struct job *j;

	if (!dir)
		return -ENOENT;
	j = new_job(f, dir, name, write);
	j->token = *t;
	return wait_for(j, t);
}

int restfiles_read(struct restfiles *f, const char *name, struct resttoken *ret, struct err *e)
{
	struct resttoken shared = {}, private = {};
	int r = in_folder(f, f->shared_dir, name, false, &shared);
	int s = in_folder(f, f->private_dir, name, false, &private);

	if (r < 0 && s < 0)
		return err_set(e, -ENOENT, "token file %s: %s", name,
			       strerrordesc_np(r == -ENOENT ? -s : -r));
	*ret = r < 0 || (s == 0 && private.created > shared.created) ? private : shared;
	return 0;
}

int restfiles_write(struct restfiles *f, const char *name, const struct resttoken *t, struct err *e)
{
	struct resttoken copy = *t;
	int r = in_folder(f, f->shared_dir, name, true, &copy), s;

	if (r >= 0)
		return r == 0 ? 0 : 2;
	s = in_folder(f, f->private_dir, name, true, &copy);
	if (s >= 0)
		return s == 0 ? 1 : 2;
	return err_set(e, s, "token file %s: cannot be kept in %s (%s) nor in %s (%s)", name,
		       f->shared_dir ? f->shared_dir : "-", strerrordesc_np(-r),
		       f->private_dir ? f->private_dir : "-", strerrordesc_np(-s));
}

int restfiles_lock(struct restfiles *f, const char *name, int64_t deadline)
{
	CLEANUP(buf_done) struct buf path = {};
	CLEANUP_FD int fd = -1;

	if (!f->private_dir)
		return -ENOENT;
	(void)file_mkdirs(AT_FDCWD, f->private_dir, 0700);
	buf_addf(&path, "%s/%s.lock", f->private_dir, name);
	fd = open(buf_str(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (rest_now_ms() + LOCK_PAUSE_MS > deadline)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, LOCK_PAUSE_MS);
	}
	return take_fd(&fd);
}
