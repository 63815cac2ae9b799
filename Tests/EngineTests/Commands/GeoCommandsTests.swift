import Testing

@testable import Engine

/// GEO commands; the digits are those of Redis 7.0.15.
@Suite struct GeoCommandsTests {
    private static let wrongType: Reply = .error(
        "WRONGTYPE Operation against a key holding the wrong kind of value")
    private static let syntax: Reply = .error("ERR syntax error")

    private func sicily() -> TestServer {
        let server = TestServer()
        server.run(
            "GEOADD", "Sicily", "13.361389", "38.115556", "Palermo", "15.087269", "37.502669",
            "Catania", "12.758489", "38.788135", "edge1", "17.241510", "38.788135", "edge2")
        return server
    }

    @Test func placesAreAddedAndRead() {
        let server = sicily()
        #expect(server.run("ZSCORE", "Sicily", "Palermo") == .bulk("3479099956230698"))
        #expect(
            server.run("GEOPOS", "Sicily", "Palermo", "absent")
                == [.bulks("13.36138933897018433", "38.11555639549629859"), .nullArray])
        #expect(
            server.run("GEOHASH", "Sicily", "Palermo", "absent", "Catania")
                == [.bulk("sqc8b49rny0"), nil, .bulk("sqdtr74hyu0")])
        #expect(server.run("GEOPOS", "absent", "x") == [.nullArray])
        #expect(server.run("GEOHASH", "absent") == .array([]))
        server.run("HELLO", "3")
        #expect(
            server.run("GEOPOS", "Sicily", "Palermo")
                == [[.double("13.36138933897018433"), .double("38.11555639549629859")]])
    }

    @Test func conditionsOfAdding() {
        let server = sicily()
        #expect(server.run("GEOADD", "Sicily", "NX", "1", "1", "Palermo", "2", "2", "new") == 1)
        #expect(
            server.run("GEOADD", "Sicily", "XX", "CH", "1", "1", "Palermo", "2", "2", "newer") == 1)
        #expect(server.run("GEOADD", "Sicily", "CH", "1", "1", "Palermo") == 0)
        #expect(server.run("GEOADD", "absent", "XX", "1", "1", "m") == 0)
        #expect(server.run("EXISTS", "absent") == 0)
        #expect(server.run("GEOADD", "Sicily", "NX", "XX", "1", "1", "m") == Self.syntax)
        #expect(server.run("GEOADD", "Sicily", "1", "1", "m", "2") == Self.syntax)
        #expect(server.run("GEOADD", "Sicily", "CH", "CH", "CH") == Self.syntax)
        #expect(
            server.run("GEOADD", "new", "1", "1", "a", "200", "100", "b")
                == .error("ERR invalid longitude,latitude pair 200.000000,100.000000"))
        #expect(
            server.run("GEOADD", "new", "1", "x", "a") == .error("ERR value is not a valid float"))
        #expect(server.run("EXISTS", "new") == 0)
    }

    @Test func distances() {
        let server = sicily()
        #expect(server.run("GEODIST", "Sicily", "Palermo", "Catania") == .bulk("166274.1516"))
        #expect(server.run("GEODIST", "Sicily", "Palermo", "Catania", "KM") == .bulk("166.2742"))
        #expect(server.run("GEODIST", "Sicily", "Palermo", "Palermo") == .bulk("0.0000"))
        #expect(server.run("GEODIST", "Sicily", "Palermo", "absent") == nil)
        #expect(server.run("GEODIST", "absent", "a", "b") == nil)
        #expect(server.run("GEODIST", "Sicily", "a", "b", "m", "x") == Self.syntax)
        #expect(
            server.run("GEODIST", "Sicily", "a", "b", "yard")
                == .error("ERR unsupported unit provided. please use M, KM, FT, MI"))
    }

    @Test func circlesAndBoxes() {
        let server = sicily()
        #expect(
            server.run(
                "GEOSEARCH", "Sicily", "FROMLONLAT", "15", "37", "BYRADIUS", "200", "km", "ASC")
                == .bulks("Catania", "Palermo"))
        #expect(
            server.run(
                "GEOSEARCH", "Sicily", "FROMLONLAT", "15", "37", "BYBOX", "400", "400", "km",
                "DESC", "COUNT", "2", "WITHDIST")
                == [.bulks("edge1", "279.7405"), .bulks("edge2", "279.7403")])
        #expect(
            server.run(
                "GEOSEARCH", "Sicily", "FROMMEMBER", "Palermo", "BYRADIUS", "0", "m", "WITHHASH",
                "WITHCOORD")
                == [
                    [
                        .bulk("Palermo"), 3_479_099_956_230_698,
                        .bulks("13.36138933897018433", "38.11555639549629859"),
                    ]
                ])
        #expect(
            server.run("GEORADIUS", "Sicily", "15", "37", "200", "km", "WITHDIST", "DESC")
                == [.bulks("Palermo", "190.4424"), .bulks("Catania", "56.4413")])
        #expect(
            server.run("GEORADIUSBYMEMBER_RO", "Sicily", "Palermo", "1", "km") == .bulks("Palermo"))
        #expect(
            server.run("GEORADIUS_RO", "Sicily", "15", "37", "9000", "km", "COUNT", "1", "ANY")
                .elements.count == 1)
        #expect(
            server.run("GEOSEARCH", "absent", "FROMMEMBER", "x", "BYRADIUS", "1", "m")
                == .array([]))
        #expect(server.run("GEORADIUSBYMEMBER", "absent", "x", "y", "z") == .array([]))
    }

    @Test func resultsAreStored() {
        let server = sicily()
        #expect(
            server.run(
                "GEOSEARCHSTORE", "near", "Sicily", "FROMLONLAT", "15", "37", "BYRADIUS", "200",
                "km") == 2)
        #expect(
            server.run("ZRANGE", "near", "0", "-1", "WITHSCORES")
                == .bulks("Palermo", "3479099956230698", "Catania", "3479447370796909"))
        #expect(
            server.run(
                "GEORADIUS", "Sicily", "15", "37", "200", "km", "STORE", "x", "STOREDIST", "near")
                == 2)
        #expect(server.run("EXISTS", "x") == 0)
        #expect(server.run("ZRANGE", "near", "0", "-1") == .bulks("Catania", "Palermo"))
        // Into the key that is read.
        #expect(server.run("GEORADIUS", "near", "100", "50", "1", "m", "STORE", "near") == 0)
        #expect(server.run("EXISTS", "near") == 0)
        server.run("SET", "near", "text", "EX", "100")
        #expect(
            server.run(
                "GEOSEARCHSTORE", "near", "Sicily", "FROMMEMBER", "Palermo", "BYBOX", "1", "1",
                "m", "STOREDIST") == 1)
        #expect(server.run("TTL", "near") == -1)
        #expect(
            server.run("GEOSEARCHSTORE", "near", "absent", "FROMMEMBER", "x", "BYRADIUS", "1", "m")
                == 0)
        #expect(server.run("EXISTS", "near") == 0)
    }

    @Test func argumentsAreChecked() {
        let server = sicily()
        func search(_ options: String...) -> Reply {
            server.client.run(["GEOSEARCH", "Sicily"] + options)
        }
        let circle = ["BYRADIUS", "1", "km"]
        func from(_ options: [String]) -> Reply {
            server.client.run(["GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1"] + options)
        }
        #expect(
            search("BYRADIUS", "1", "km", "ASC", "ASC")
                == .error(
                    "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH"))
        #expect(
            from(["ASC", "ASC"])
                == .error("ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH"))
        #expect(from(circle + ["FROMMEMBER", "Palermo"]) == Self.syntax)
        #expect(from(circle + ["BYBOX", "1", "1", "km"]) == Self.syntax)
        #expect(from(circle + ["ANY"]) == .error("ERR the ANY argument requires COUNT argument"))
        #expect(from(circle + ["COUNT", "0"]) == .error("ERR COUNT must be > 0"))
        #expect(from(circle + ["COUNT"]) == Self.syntax)
        #expect(from(circle + ["STORE", "x"]) == Self.syntax)
        #expect(from(circle + ["STOREDIST"]) == Self.syntax)
        #expect(from(["BYRADIUS", "x", "km"]) == .error("ERR need numeric radius"))
        #expect(from(["BYRADIUS", "-1", "km"]) == .error("ERR radius cannot be negative"))
        #expect(from(["BYBOX", "x", "1", "km"]) == .error("ERR need numeric width"))
        #expect(from(["BYBOX", "1", "x", "km"]) == .error("ERR need numeric height"))
        #expect(
            from(["BYBOX", "1", "-1", "km"])
                == .error("ERR height or width cannot be negative"))
        #expect(
            search("FROMMEMBER", "absent", "BYRADIUS", "1", "km")
                == .error("ERR could not decode requested zset member"))
        #expect(
            server.run("GEORADIUS", "Sicily", "1", "1", "1", "km", "STORE", "x", "WITHDIST")
                == .error(
                    "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and "
                        + "WITHCOORD options"))
        #expect(
            server.run("GEORADIUS_RO", "Sicily", "1", "1", "1", "km", "STORE", "x") == Self.syntax)
    }

    @Test func otherTypesAreRefused() {
        let server = TestServer()
        server.run("SET", "k", "v")
        #expect(server.run("GEOADD", "k", "1", "1", "m") == Self.wrongType)
        #expect(server.run("GEODIST", "k", "a", "b") == Self.wrongType)
        #expect(server.run("GEOPOS", "k", "a") == Self.wrongType)
        #expect(server.run("GEOHASH", "k", "a") == Self.wrongType)
        #expect(server.run("GEORADIUS", "k", "x", "x", "x", "x") == Self.wrongType)
        #expect(server.run("GEOSEARCH", "k", "1", "2", "3", "4", "5") == Self.wrongType)
        #expect(server.run("GEOSEARCHSTORE", "d", "k", "1", "2", "3", "4", "5") == Self.wrongType)
    }

    /// Scores that no place has.
    @Test func hostileScoresAreRead() {
        let server = TestServer()
        for (index, score) in ["inf", "-inf", "1e300", "-1", "-0.5", "9007199254740993"]
            .enumerated()
        {
            server.run("ZADD", "k", score, "m\(index)")
        }
        for index in 0..<6 {
            #expect(server.run("GEOPOS", "k", "m\(index)").elements.first?.elements.count == 2)
            #expect(server.run("GEOHASH", "k", "m\(index)").elements.first?.text?.count == 11)
            #expect(
                !server.run("GEOSEARCH", "k", "FROMMEMBER", "m\(index)", "BYRADIUS", "inf", "m")
                    .isError)
        }
    }

    @Test func theKeysAreFound() {
        let server = TestServer()
        func keys(_ words: String...) -> [Int] {
            let owned = OwnedArguments(words.map { Array($0.utf8) })
            let row = server.server.commands.row(named: words[0].lowercased())
            return row.flatMap { KeyExtraction.keys(of: $0, owned.view) }?.map(\.index) ?? []
        }
        #expect(keys("GEORADIUS", "k", "1", "1", "1", "m") == [1])
        #expect(
            keys("GEORADIUS", "k", "1", "1", "1", "m", "STORE", "a", "STOREDIST", "b") == [1, 9])
        // No request that runs: what is found all the same.
        #expect(keys("GEORADIUSBYMEMBER", "k", "m", "1", "m", "store", "a", "STORE") == [1, 6])
    }
}
