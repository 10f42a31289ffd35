/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/root_check.h"

#include <errno.h>

int array_root_check(const struct root *root, struct err *e)
{
	return root->live
		       ? 0
		       : err_set(e, -EPERM,
				 "--root: the devices would be this machine's, and what is said of "
				 "them another one's");
}
