/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/hostgrade.h"

static enum host_level level(double value, double high, double too_high)
{
	return value > too_high ? HOST_TOO_HIGH : value > high ? HOST_HIGH : HOST_GOOD;
}

int hostgrade_percent(double value)
{
	return value >= 100 ? 100 : value <= 0 ? 0 : (int)(value + 0.5);
}

enum host_level hostgrade_cpu(double percent)
{
	return level(hostgrade_percent(percent), 60, 80);
}

enum host_level hostgrade_memory(double percent)
{
	return level(hostgrade_percent(percent), 75, 90);
}

enum host_level hostgrade_load(double load, unsigned int threads)
{
	return threads ? level(load, threads, 1.5 * threads) : HOST_LEVEL_UNKNOWN;
}

static int cost(enum host_level l)
{
	return l == HOST_TOO_HIGH ? 20 : l == HOST_HIGH ? 10 : 0;
}

static const char *letter(int score)
{
	return score >= 90 ? "A+" : score >= 80 ? "A" : score >= 70 ? "B" : score >= 60 ? "C" : "D";
}

/* Every combination of what went down, in words. */
static const char *reason_for(const struct host_grade *g)
{
	static const char *const words[8] = {
		NULL,
		"processor use",
		"memory use",
		"processor and memory use",
		"the number of orphans",
		"processor use and the number of orphans",
		"memory use and the number of orphans",
		"processor use, memory use and the number of orphans",
	};

	return words[(cost(g->cpu) ? 1 : 0) | (cost(g->memory) ? 2 : 0) |
		     (cost(g->orphans) ? 4 : 0)];
}

void hostgrade(struct host_grade *ret, const struct hostgrade_input *in)
{
	*ret = (struct host_grade){
		.cpu = in->cpu_known ? hostgrade_cpu(in->cpu) : HOST_LEVEL_UNKNOWN,
		.memory = in->memory_known ? hostgrade_memory(in->memory) : HOST_LEVEL_UNKNOWN,
		.orphans =
			in->orphans_known ? level((double)in->orphans, 10, 50) : HOST_LEVEL_UNKNOWN,
	};
	ret->graded = in->cpu_known && in->memory_known && in->orphans_known;
	if (!ret->graded) {
		ret->reason = !in->cpu_known	  ? "processor use is not known"
			      : !in->memory_known ? "memory use is not known"
						  : "orphans could not be told";
		return;
	}
	ret->score = 100 - cost(ret->cpu) - cost(ret->memory) - cost(ret->orphans);
	ret->grade = letter(ret->score);
	ret->reason = reason_for(ret);
}
