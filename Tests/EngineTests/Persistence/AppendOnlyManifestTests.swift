import Testing

@testable import Engine

@Suite struct AppendOnlyManifestTests {
    private func parse(_ text: String) throws(AppendOnlyError) -> AppendOnlyManifest {
        try AppendOnlyManifest.parse(Array(text.utf8))
    }

    @Test func `parts come and go in order`() throws {
        var manifest = AppendOnlyManifest()
        #expect(manifest.isEmpty)
        manifest.rebase(on: manifest.nextBase(of: "a.aof", isSnapshot: true), keepsLast: true)
        manifest.add(increment: manifest.nextIncrement(of: "a.aof"))
        manifest.add(increment: manifest.nextIncrement(of: "a.aof"))
        #expect(
            manifest.parts.map(\.name) == [
                "a.aof.1.base.rdb", "a.aof.1.incr.aof", "a.aof.2.incr.aof",
            ])
        manifest.rebase(on: manifest.nextBase(of: "a.aof", isSnapshot: false), keepsLast: true)
        #expect(
            String(decoding: manifest.text, as: UTF8.self) == """
                file a.aof.2.base.aof seq 2 type b
                file a.aof.1.incr.aof seq 1 type h
                file a.aof.1.base.rdb seq 1 type h
                file a.aof.2.incr.aof seq 2 type i

                """)
        #expect(try AppendOnlyManifest.parse(manifest.text) == manifest)
        manifest.forgetHistory()
        manifest.rebase(on: manifest.nextBase(of: "a.aof", isSnapshot: true), keepsLast: false)
        #expect(manifest.parts.map(\.name) == ["a.aof.3.base.rdb"])
        #expect(manifest.nextIncrement(of: "a.aof").sequence == 1)
    }

    @Test func `names that need quotes have them`() throws {
        var manifest = AppendOnlyManifest()
        manifest.add(increment: manifest.nextIncrement(of: "my \"file\"\\ 1\u{1}\n"))
        #expect(
            String(decoding: manifest.text, as: UTF8.self)
                == #"file "my \"file\"\\ 1\x01\n.1.incr.aof" seq 1 type i"# + "\n")
        #expect(try AppendOnlyManifest.parse(manifest.text) == manifest)
    }

    @Test func `comments and unknown keys are passed over`() throws {
        let manifest = try parse("# a note\nseq 7 file x type i size 12\n")
        #expect(manifest.parts == [AppendOnlyManifest.Part(name: "x", sequence: 7)])
        #expect(manifest.lastIncrement == 7)
    }

    @Test(arguments: [
        ("", "Found an empty AOF manifest"),
        ("\n", "Invalid AOF manifest file format"),
        ("file a seq 1 type b", "The AOF manifest file contains too long line"),
        ("file a seq 1 type i\nfile b", "The AOF manifest file contains too long line"),
        ("file a seq 1\n", "Invalid AOF manifest file format"),
        ("file a seq 1 type b odd\n", "Invalid AOF manifest file format"),
        ("file a seq 0 type b\n", "Invalid AOF manifest file format"),
        ("file a seq x type b\n", "Invalid AOF manifest file format"),
        ("file a seq 9223372036854775807 type i\n", "Invalid AOF manifest file format"),
        ("file \"a seq 1 type b\n", "Invalid AOF manifest file format"),
        ("file ../a seq 1 type b\n", "File can't be a path, just a filename"),
        ("file a seq 1 type z\n", "Unknown AOF file type"),
        ("file a seq 1 type b\nfile b seq 2 type b\n", "Found duplicate base file information"),
        ("file a seq 2 type i\nfile b seq 2 type i\n", "Found a non-monotonic sequence number"),
    ])
    func `what is wrong is told`(_ text: String, _ reason: String) {
        do throws(AppendOnlyError) {
            _ = try parse(text)
            Issue.record("taken: \(text)")
        } catch {
            #expect(error.text.hasSuffix(reason), "\(error.text)")
        }
    }

    @Test func `no bytes reach a trap`() {
        var random = SeededRandom.make()
        let sound = Array("file a seq 1 type b\nfile \"b\" seq 2 type i\n".utf8)
        for _ in 0..<2000 {
            var bytes = sound
            for _ in 0...random.below(4) {
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
            }
            _ = try? AppendOnlyManifest.parse(Array(bytes.prefix(random.below(bytes.count + 1))))
        }
    }
}
