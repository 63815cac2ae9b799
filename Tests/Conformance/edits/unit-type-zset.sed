# Never: as 7.2, which writes doubles in the fewest digits, not in 17; they are compared as numbers.
s/assert_equal \[lindex \$aux \$i\] \[r \(zm\{0,1\}score\) zscoretest \$i\]/assert {[lindex $aux $i] == [r \1 zscoretest $i]}/
