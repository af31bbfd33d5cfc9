# Reads TAP files; prints what was skipped and why, what failed, the slowest
# tests, and the last line of make check. Exit status 1 if anything failed.
# A test that was skipped in one place and ran in another was not skipped.
# Tests that a plan (1..N) promises and that never came have failed.
FNR == 1 {
	n = split(FILENAME, path, "/")
	where = path[n]
	sub(/\.tap$/, "", where)
	file = ""
}
/^# [^ ]+\.(bats|t)$/ { file = " " $2 }
/^1\.\.[0-9]+$/ { planned += substr($0, 4) }
/^(not )?ok [0-9]+ / {
	came++
	name = $0
	sub(/^(not )?ok [0-9]+ (- )?/, "", name)
	reason = ""
	if (match(name, / # [Ss][Kk][Ii][Pp]/)) {
		reason = substr(name, RSTART + RLENGTH + 1)
		name = substr(name, 1, RSTART - 1)
	}
	ms = 0
	if (match(name, / in [0-9]+ms$/)) {
		ms = substr(name, RSTART + 4, RLENGTH - 6)
		name = substr(name, 1, RSTART - 1)
	}
	label = where file ": " name
	if (/^not/) {
		failed++
		fails = fails "  " label "\n"
		ran[file name]
	} else if (reason != "") {
		skip[file name] = label ": " reason
		order[++places] = file name
	} else {
		passed++
		ran[file name]
	}
	print ms, label >slow
}
END {
	lost = planned - came
	if (lost > 0) {
		failed += lost
		fails = fails "  " lost " tests that never ended\n"
	}
	for (i = 1; i <= places; i++) {
		if (!(order[i] in ran) && order[i] in skip) {
			skipped++
			skips = skips "  " skip[order[i]] "\n"
			delete skip[order[i]]
		}
	}
	if (skips != "")
		printf "== skipped\n%s", skips
	print "== the slowest"
	close(slow)
	fflush()
	system("sort -rn " slow " | head -n 10 | sed \"s/^\\([0-9]*\\)/  \\1 ms/\"")
	if (fails != "")
		printf "== FAILED\n%s", fails
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}
