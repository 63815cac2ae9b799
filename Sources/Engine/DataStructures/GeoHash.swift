import Glibc

/// Places on the globe as numbers whose order keeps neighbours together.
///
/// Longitude and latitude are each halved `step` times; the answers, east and north being 1, are
/// woven into one number, longitude first. With 26 steps that is 52 bits, which a score holds
/// exactly. Latitudes end at ±85.05112878, as on web maps. The arithmetic is that of Redis,
/// operation by operation, so that every digit of a reply is the same.
struct GeoHash: Equatable {
    /// The woven bits, `step` times two of them.
    var bits: UInt64
    var step: Int

    /// The steps of a score.
    static let finestStep = 26

    static let longitudes = -180.0...180.0
    static let latitudes = -85.05112878...85.05112878

    // MARK: - Weaving

    /// The hash of a place inside the two ranges.
    init(
        _ place: GeoPoint, step: Int, longitudes: ClosedRange<Double> = GeoHash.longitudes,
        latitudes: ClosedRange<Double> = GeoHash.latitudes
    ) {
        precondition(
            step > 0 && step <= 26 && longitudes.contains(place.longitude)
                && latitudes.contains(place.latitude), "a place off the map")
        let cells = Double(UInt64(1) << UInt64(step))
        let north = Self.share(place.latitude, of: latitudes) * cells
        let east = Self.share(place.longitude, of: longitudes) * cells
        bits = Self.spread(UInt32(north)) | Self.spread(UInt32(east)) << 1
        self.step = step
    }

    init(bits: UInt64, step: Int) {
        self.bits = bits
        self.step = step
    }

    /// The hash in a score; any score gives one, if it makes no sense then no more than in Redis.
    init(score: Double) {
        self.init(bits: Self.truncated(score), step: Self.finestStep)
    }

    private static func share(_ value: Double, of range: ClosedRange<Double>) -> Double {
        (value - range.lowerBound) / (range.upperBound - range.lowerBound)
    }

    /// A double as C on this hardware makes an unsigned integer of it, whatever it is.
    private static func truncated(_ value: Double) -> UInt64 {
        if value < 0x1p63 {
            return UInt64(bitPattern: Int64(exactly: value.rounded(.towardZero)) ?? .min)
        }
        guard value < 0x1p64 else { return value.isNaN ? 1 << 63 : 0 }
        return UInt64(value)
    }

    /// The bits of a number, each followed by a zero above it (Anderson, "Bit Twiddling Hacks").
    private static func spread(_ value: UInt32) -> UInt64 {
        var bits = UInt64(value)
        bits = (bits | bits << 16) & 0x0000_FFFF_0000_FFFF
        bits = (bits | bits << 8) & 0x00FF_00FF_00FF_00FF
        bits = (bits | bits << 4) & 0x0F0F_0F0F_0F0F_0F0F
        bits = (bits | bits << 2) & 0x3333_3333_3333_3333
        return (bits | bits << 1) & 0x5555_5555_5555_5555
    }

    private static func gather(_ woven: UInt64) -> UInt32 {
        var bits = woven & 0x5555_5555_5555_5555
        bits = (bits | bits >> 1) & 0x3333_3333_3333_3333
        bits = (bits | bits >> 2) & 0x0F0F_0F0F_0F0F_0F0F
        bits = (bits | bits >> 4) & 0x00FF_00FF_00FF_00FF
        bits = (bits | bits >> 8) & 0x0000_FFFF_0000_FFFF
        return UInt32(truncatingIfNeeded: bits | bits >> 16)
    }

    // MARK: - Reading

    /// The cell that the hash stands for.
    var area: GeoArea {
        let north = Self.gather(bits)
        let east = Self.gather(bits >> 1)
        return GeoArea(
            west: edge(east, Self.longitudes), east: edge(east &+ 1, Self.longitudes),
            south: edge(north, Self.latitudes), north: edge(north &+ 1, Self.latitudes))
    }

    private func edge(_ cell: UInt32, _ range: ClosedRange<Double>) -> Double {
        let share = Double(cell) / Double(UInt64(1) << UInt64(step))
        return range.lowerBound + share * (range.upperBound - range.lowerBound)
    }

    /// The middle of the cell.
    var center: GeoPoint {
        let area = area
        let longitude = (area.west + area.east) / 2
        let latitude = (area.south + area.north) / 2
        return GeoPoint(
            longitude: min(max(longitude, Self.longitudes.lowerBound), Self.longitudes.upperBound),
            latitude: min(max(latitude, Self.latitudes.lowerBound), Self.latitudes.upperBound))
    }

    /// The hash as a score: 52 bits, the cells inside it being zero.
    var score: Double { Double(bits << UInt64(52 - step * 2)) }

    /// The scores of the places inside: at least the first and below the second.
    var scores: (first: Double, end: Double) {
        (score, GeoHash(bits: bits &+ 1, step: step).score)
    }

    /// The eleven characters that geohash.org would give for the middle of the cell; the last is
    /// always 0, as 52 bits do not reach so far.
    var text: [UInt8] {
        let alphabet = Array("0123456789bcdefghjkmnpqrstuvwxyz".utf8)
        let standard = GeoHash(center, step: 26, latitudes: -90...90)
        let digits = (0..<10).map { index in
            alphabet[Int(standard.bits >> UInt64(47 - index * 5) & 31)]
        }
        return digits + [alphabet[0]]
    }

    // MARK: - Neighbours

    /// The cell so many columns east and rows north of this one, -1 to 1 of them, around the edge.
    ///
    /// The last row and column have one cell too many, for places right on the edge of the map; a
    /// direction that is not moved in keeps it, as in Redis.
    func neighbor(east: Int, north: Int) -> GeoHash {
        let all = UInt64.max >> UInt64(64 - step * 2)
        return GeoHash(
            bits: Self.moved(bits, east, Self.columns, Self.rows, all)
                | Self.moved(bits, north, Self.rows, Self.columns, all), step: step)
    }

    private static let columns: UInt64 = 0xAAAA_AAAA_AAAA_AAAA
    private static let rows: UInt64 = 0x5555_5555_5555_5555

    /// The bits of `mask` in `bits` counted one up or down; those of `other` between carry over.
    private static func moved(
        _ bits: UInt64, _ direction: Int, _ mask: UInt64, _ other: UInt64, _ all: UInt64
    ) -> UInt64 {
        let between = other & all
        switch direction {
        case 1: return ((bits & mask) &+ (between &+ 1)) & mask & all
        case -1: return ((bits & mask | between) &- (between &+ 1)) & mask & all
        default: return bits & mask
        }
    }
}

/// A place in degrees.
struct GeoPoint: Equatable {
    var longitude: Double
    var latitude: Double

    private static let radians = Double.pi / 180
    /// Meters; the quadratic mean radius of WGS 84.
    static let earthRadius = 6372797.560856

    static func radians(_ degrees: Double) -> Double { degrees * radians }
    static func degrees(_ angle: Double) -> Double { angle / radians }

    /// Meters to `other` along a great circle (haversine).
    func distance(to other: GeoPoint) -> Double {
        let v = sin((Self.radians(other.longitude) - Self.radians(longitude)) / 2)
        if v == 0 { return latitudeDistance(to: other) }
        let south = Self.radians(latitude)
        let north = Self.radians(other.latitude)
        let u = sin((north - south) / 2)
        let a = u * u + cos(south) * cos(north) * v * v
        return 2 * Self.earthRadius * asin(a.squareRoot())
    }

    /// Meters between the two latitudes.
    func latitudeDistance(to other: GeoPoint) -> Double {
        Self.earthRadius * abs(Self.radians(other.latitude) - Self.radians(latitude))
    }
}

/// A cell of the map, in degrees.
struct GeoArea: Equatable {
    var west: Double
    var east: Double
    var south: Double
    var north: Double
}

/// A circle or a box around a place, and the cells in which its members are to be looked for.
struct GeoShape {
    enum Extent {
        /// In units of the query.
        case radius(Double)
        case box(width: Double, height: Double)
    }

    var center: GeoPoint
    var extent: Extent
    /// Meters in a unit.
    var unit: Double

    /// Half the circumference at the equator, on web maps.
    private static let mercatorLimit = 20037726.37

    // MARK: - Inside or not

    /// Meters from the center to `place`; nil when it lies outside.
    func distance(to place: GeoPoint) -> Double? {
        switch extent {
        case .radius(let radius):
            let distance = center.distance(to: place)
            return distance > radius * unit ? nil : distance
        case .box(let width, let height):
            if place.latitudeDistance(to: center) > height * unit / 2 { return nil }
            let sameLatitude = GeoPoint(longitude: center.longitude, latitude: place.latitude)
            if place.distance(to: sameLatitude) > width * unit / 2 { return nil }
            return center.distance(to: place)
        }
    }

    // MARK: - Where to look

    /// Up to nine cells that cover the shape, in the order Redis visits them.
    var cells: [GeoHash] {
        let bounds = bounds
        var step = estimatedStep
        var middle = GeoHash(center, step: step)
        if step > 1 && !reaches(middle, bounds) {
            step -= 1
            middle = GeoHash(center, step: step)
        }
        let area = middle.area
        let trims = step >= 2
        var cells = [middle]
        for (east, north) in Self.directions {
            if trims {
                if area.south < bounds.south && north < 0 { continue }
                if area.north > bounds.north && north > 0 { continue }
                if area.west < bounds.west && east < 0 { continue }
                if area.east > bounds.east && east > 0 { continue }
            }
            let cell = middle.neighbor(east: east, north: north)
            // Huge cells are their own neighbours: one that was just visited is not visited again.
            if cells.count > 1 && cells.last == cell { continue }
            cells.append(cell)
        }
        return cells
    }

    private static let directions = [
        (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1),
    ]

    /// Whether the cells around `middle` cover the bounds.
    private func reaches(_ middle: GeoHash, _ bounds: GeoArea) -> Bool {
        !(middle.neighbor(east: 0, north: 1).area.north < bounds.north
            || middle.neighbor(east: 0, north: -1).area.south > bounds.south
            || middle.neighbor(east: 1, north: 0).area.east < bounds.east
            || middle.neighbor(east: -1, north: 0).area.west > bounds.west)
    }

    /// Meters from the center to the farthest point.
    private var reach: Double {
        switch extent {
        case .radius(let radius): radius * unit
        case .box(let width, let height):
            ((width / 2) * (width / 2) + (height / 2) * (height / 2)).squareRoot() * unit
        }
    }

    /// How fine the cells may be so that nine of them cover the shape.
    private var estimatedStep: Int {
        var range = reach
        if range == 0 { return GeoHash.finestStep }
        var step = 1
        while range < Self.mercatorLimit {
            range *= 2
            step += 1
        }
        step -= 2
        // Towards the poles cells are narrower.
        if abs(center.latitude) > 66 { step -= 1 }
        if abs(center.latitude) > 80 { step -= 1 }
        return min(max(step, 1), GeoHash.finestStep)
    }

    /// The shape's bounds in degrees; its wider edge, nearer to the pole, counts.
    private var bounds: GeoArea {
        let (halfWidth, halfHeight): (Double, Double) =
            switch extent {
            case .radius(let radius): (unit * radius, unit * radius)
            case .box(let width, let height): (unit * (width / 2), unit * (height / 2))
            }
        let deltaLatitude = GeoPoint.degrees(halfHeight / GeoPoint.earthRadius)
        let edge = center.latitude + (center.latitude < 0 ? -deltaLatitude : deltaLatitude)
        let deltaLongitude = GeoPoint.degrees(
            halfWidth / GeoPoint.earthRadius / cos(GeoPoint.radians(edge)))
        return GeoArea(
            west: center.longitude - deltaLongitude, east: center.longitude + deltaLongitude,
            south: center.latitude - deltaLatitude, north: center.latitude + deltaLatitude)
    }
}
