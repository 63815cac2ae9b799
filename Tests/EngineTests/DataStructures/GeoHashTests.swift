import Testing

@testable import Engine

/// Places, cells and distances, with digits recorded from Redis 7.0.15.
@Suite struct GeoHashTests {
    private static let recorded:
        [(longitude: Double, latitude: Double, score: Double, text: String)] =
            [
                (13.361389, 38.115556, 3479099956230698, "sqc8b49rny0"),
                (15.087269, 37.502669, 3479447370796909, "sqdtr74hyu0"),
                (-122.4194, 37.7749, 1367859919124626, "9q8yyk8ytp0"),
                (180, 85.05112878, 13510798882111488, "bp05b5048p0"),
                (-180, -85.05112878, 0, "00bh0hbj200"),
                (0, 0, 3377699720527872, "s0000000000"),
            ]

    @Test func scoresAndTextsAreThoseOfRedis() {
        for one in Self.recorded {
            let hash = GeoHash(
                GeoPoint(longitude: one.longitude, latitude: one.latitude), step: 26)
            #expect(hash.score == one.score)
            #expect(String(decoding: GeoHash(score: one.score).text, as: UTF8.self) == one.text)
        }
    }

    @Test func distancesAreThoseOfRedis() {
        let palermo = GeoHash(score: 3479099956230698).center
        let catania = GeoHash(score: 3479447370796909).center
        #expect(palermo == GeoPoint(longitude: 13.361389338970184, latitude: 38.1155563954963))
        #expect((palermo.distance(to: catania) * 10000).rounded() == 1_662_741_516)
        #expect(palermo.distance(to: palermo) == 0)
    }

    private func randomPoint(_ random: inout SeededRandom) -> GeoPoint {
        GeoPoint(
            longitude: Double.random(in: -180...180, using: &random),
            latitude: Double.random(in: -85...85, using: &random))
    }

    @Test func aPlaceLiesInItsCell() {
        var random = SeededRandom.make()
        for _ in 0..<10_000 {
            let place = randomPoint(&random)
            let step = 1 + random.below(26)
            let hash = GeoHash(place, step: step)
            let area = hash.area
            #expect(area.west <= place.longitude && place.longitude <= area.east)
            #expect(area.south <= place.latitude && place.latitude <= area.north)
            let fine = GeoHash(place, step: 26).score
            #expect(hash.scores.first <= fine && fine < hash.scores.end, "seed \(random.seed)")
            let moved = hash.neighbor(east: 1, north: -1).neighbor(east: -1, north: 1)
            #expect(moved == hash, "seed \(random.seed)")
        }
    }

    /// Within the reach that nine cells are promised for, nothing inside is missed.
    @Test func theCellsCoverTheShape() {
        var random = SeededRandom.make()
        var inside = 0
        for _ in 0..<5000 {
            let center = GeoPoint(
                longitude: Double.random(in: -150...150, using: &random),
                latitude: Double.random(in: -60...60, using: &random))
            let size = [10.0, 500, 20_000, 300_000][random.below(4)]
            let extent: GeoShape.Extent =
                random.below(2) == 0 ? .radius(size) : .box(width: size, height: size * 1.5)
            let shape = GeoShape(center: center, extent: extent, unit: 1)
            let cells = shape.cells
            #expect(cells.count <= 9)
            let spread = size / 60_000
            let place = GeoPoint(
                longitude: center.longitude + Double.random(in: -spread...spread, using: &random),
                latitude: center.latitude + Double.random(in: -spread...spread, using: &random))
            let hash = GeoHash(place, step: 26)
            guard shape.distance(to: hash.center) != nil else { continue }
            inside += 1
            #expect(
                cells.contains { $0.scores.first <= hash.score && hash.score < $0.scores.end },
                "\(center) \(extent) \(place), seed \(random.seed)")
        }
        #expect(inside > 500)
    }

    /// Any number can be a score; none may stop the process.
    @Test func hostileScoresArePlaces() {
        for score in [
            0.0, -0.5, -1, -1e300, 1e300, .infinity, -.infinity, .nan, 0x1p63, 0x1p64, 0x1p52,
            .leastNonzeroMagnitude, -0x1p63,
        ] {
            let center = GeoHash(score: score).center
            #expect(GeoHash.longitudes.contains(center.longitude))
            #expect(GeoHash.latitudes.contains(center.latitude))
            #expect(GeoHash(score: score).text.count == 11)
        }
        #expect(GeoHash(score: -1).bits == .max)
        #expect(GeoHash(score: 0x1p63).bits == 1 << 63)
    }

    @Test func hugeAndEmptyShapesHaveCells() {
        for radius in [0.0, 1e7, 1e30, .infinity] {
            for latitude in [-85.05112878, 0, 85.05112878] {
                let center = GeoPoint(longitude: 180, latitude: latitude)
                let circle = GeoShape(center: center, extent: .radius(radius), unit: 1000)
                #expect((1...9).contains(circle.cells.count))
                let box = GeoShape(
                    center: center, extent: .box(width: radius, height: 0), unit: 0.3048)
                #expect((1...9).contains(box.cells.count))
            }
        }
    }
}
