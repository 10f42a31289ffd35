/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * multipathd's socket, as multipath-tools' libmpathcmd speaks it: an abstract AF_UNIX stream; each
 * message is its length as a native size_t and that many bytes, the terminating NUL included, both
 * ways. Asking costs no process. Here only what it shows; what it does is in mpathd_act.h.
 */

#include "util/buf.h"
#include "util/err.h"

#define MPATHD_ADDRESS "/org/kernel/linux/storage/multipathd"
#define MPATHD_WWIDS   "etc/multipath/wwids"

enum mpathd_answer {
	MPATHD_OK,
	MPATHD_FAIL, /* without more words, as before version 0.11 */
	MPATHD_IN_USE,
	MPATHD_NOT_FOUND,
	MPATHD_BLACKLISTED,
	MPATHD_TIMEOUT, /* it was busy too long (uxsock_timeout, 4 s) */
	MPATHD_DENIED,
	MPATHD_OTHER, /* words that we do not know */
};

/* What a reply to a command that acts means. */
enum mpathd_answer mpathd_answer(struct slice reply);

/*
 * Sends @command and receives the reply, without its NUL. -ECONNREFUSED: multipathd does not run;
 * -ETIMEDOUT; -EPROTO. @address: MPATHD_ADDRESS but for tests.
 */
int mpathd_ask(const char *address, const char *command, int deadline_ms, struct buf *ret,
	       struct err *e);

/*
 * Does multipathd take a new disk only when its WWID is in its list (find_multipaths strict, yes
 * and smart in `show config`)? Unknown when the text does not say.
 */
enum tri mpathd_wants_wwids(struct slice config);

/* Is @wwid in the text of the file of known WWIDs ("/WWID/" lines)? */
bool mpathd_wwid_listed(struct slice text, const char *wwid);
