/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Is the live table what the metadata says? Pure (decisions 16). */

#include "dm/model.h"

enum dm_table_state dm_table_compare(const struct dm_model *m, const struct resolver *r,
				     const struct dm_dev *dev, const struct lvm_lv *lv);

/* The LV's segments as device-mapper would have them. False when a part of it lies on no known
 * device, or is not linear or striped. */
bool dm_table_expected(const struct lvm_lv *lv, struct segments *ret, struct arena *a);
