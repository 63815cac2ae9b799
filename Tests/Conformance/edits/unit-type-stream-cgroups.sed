# Never: as 7.2. Who waits for a group runs his command again when the stream is gone or is none any
# more, and is told what it then says; and a consumer is made also where there is nothing to read.
/test {Blocking XREADGROUP: /,/^    }/{
    s/"\*no longer exists\*"/"*NOGROUP*"/
}
/test {Blocking XREADGROUP: key type changed/,/^    }/s/"\*NOGROUP\*"/"*WRONGTYPE*"/
/test {Blocking XREADGROUP: swapped DB, key is not a stream/,/^    }/s/"\*NOGROUP\*"/"*WRONGTYPE*"/
/test {Consumer without PEL is present in AOF after AOFRW}/,/^        }/{
    s/assert_equal \$n_consumers 2/assert_equal $n_consumers 3/
    s/set consumer_info \[lindex \$reply 1\]/set consumer_info [lindex $reply 2]/
}
