import Foundation
import Glibc
import Testing

/// Users in files, across restarts, and as client libraries speak of them.
@Suite struct AccessTests {
    private static func hasPython() -> Bool {
        (try? ServerProcess.run(["/usr/bin/python3", "-c", "import redis"]).ending) == .exited(0)
    }

    private func folder(_ users: String) throws -> URL {
        let folder = try ServerProcess.freshFolder()
        try Data(users.utf8).write(to: folder.appending(path: "users.acl"))
        return folder
    }

    @Test func `users survive a restart in their file`() throws {
        let server = try ServerProcess(
            "aclfile users.acl", folder: folder("user alice on >pw ~* +@all\n"))
        chmod(server.file("users.acl").path, 0o640)
        let client = try server.connect()
        #expect(try client.run("ACL", "SETUSER", "bob", "on", ">secret", "~b*", "+get") == "OK")
        #expect(try client.run("ACL", "SAVE") == "OK")
        let text = try String(contentsOf: server.file("users.acl"), encoding: .utf8)
        #expect(text.contains("user bob on #") && !text.contains("secret"))
        #expect(text.hasSuffix("user default on nopass ~* &* +@all\n"))
        var status = stat()
        #expect(
            stat(server.file("users.acl").path, &status) == 0 && status.st_mode & 0o777 == 0o640)
        // No temporary file is left behind.
        let names = try FileManager.default.contentsOfDirectory(atPath: server.folder.path)
        #expect(!names.contains { $0.contains("tmp") })

        try server.stop()
        try server.restart()
        let again = try server.connect()
        #expect(try again.run("AUTH", "bob", "secret") == "OK")
        #expect(try again.run("GET", "b1") == .null)
        #expect(
            try again.run("GET", "a")
                == .error(
                    "NOPERM this user has no permissions to access one of the keys used as "
                        + "arguments"))
    }

    @Test func `loading is all or nothing`() throws {
        let server = try ServerProcess(
            "aclfile users.acl", folder: folder("user alice on nopass ~* +@all\n"))
        let (client, alice) = (try server.connect(), try server.connect())
        #expect(try alice.run("AUTH", "alice", "x") == "OK")
        let path = server.file("users.acl")
        try Data("user alice off\n\nuser bob +nonsense\n".utf8).write(to: path)
        #expect(
            try client.run("ACL", "LOAD")
                == .error(
                    "ERR users.acl:3: Error in applying operation '+nonsense': Unknown command or "
                        + "category name in ACL. WARNING: ACL errors detected, no change to the "
                        + "previously active ACL rules was performed"))
        #expect(try alice.run("PING") == "PONG")
        try Data("user carol on nopass +ping\n".utf8).write(to: path)
        #expect(try client.run("ACL", "LOAD") == "OK")
        #expect(try client.run("ACL", "USERS") == .list([.text("carol"), .text("default")]))
        // Alice is no more, and neither is her connection.
        #expect(throws: (any Error).self) { try alice.run("PING") }
    }

    @Test func `loading cuts off who is no more, and nobody else`() throws {
        let users = ["alice", "bob", "carol", "dave"].map { "user \($0) on nopass ~* &* +@all\n" }
        let server = try ServerProcess("aclfile users.acl", folder: folder(users.joined()))
        let root = try server.connect()
        let clients = try ["alice", "bob", "carol", "dave"].map { name in
            let client = try server.connect()
            #expect(try client.run("AUTH", name, "x") == "OK")
            return client
        }
        _ = try clients[3].run("SUBSCRIBE", "news")
        let lines = [
            users[0], "user bob on >pw ~b* &* +@all\n", "user dave on nopass ~* +@all\n",
        ]
        try Data(lines.joined().utf8).write(to: server.file("users.acl"))
        #expect(try root.run("ACL", "LOAD") == "OK")
        #expect(try root.run("PING") == "PONG")
        #expect(try clients[0].run("SET", "k", "v") == "OK")
        // Changed rules hold at once, as after ACL SETUSER.
        #expect(try clients[1].run("SET", "b", "v") == "OK")
        let refused = try clients[1].run("SET", "k", "v")
        #expect("\(refused)".contains("NOPERM"))
        // Gone, and a subscriber who may not listen any more.
        #expect(throws: (any Error).self) { try clients[2].run("PING") }
        #expect(throws: (any Error).self) { try clients[3].run("PING") }
        #expect(try clients[0].run("ACL", "WHOAMI") == .text("alice"))
    }

    @Test func `a wrong file keeps the server from starting`() throws {
        for (configuration, reason) in [
            ("aclfile missing.acl", "/missing.acl': No such file or directory. Make"),
            ("user a +nonsense", "Error loading ACL rule '+nonsense' for the user named 'a'"),
            ("user a >pw <other", "The password you are trying to remove"),
            ("user a on\nuser a off", "Duplicate user found"),
            ("user a on\naclfile x", "not both"),
        ] {
            do {
                _ = try ServerProcess(configuration)
                Issue.record("started with \(configuration)")
            } catch let trouble as Trouble {
                #expect("\(trouble)".contains(reason), "\(trouble)")
                #expect(!"\(trouble)".contains(">pw"))
            }
        }
    }

    @Test func `users survive in the configuration file`() throws {
        let server = try ServerProcess("user alice on nopass ~x* +get\nuser gone on")
        let client = try server.connect()
        #expect(try client.run("ACL", "DELUSER", "gone") == 1)
        #expect(
            try client.run("ACL", "SETUSER", "bob", "on", ">pw", "~say\"it\"", "(~'a' +set)")
                == "OK")
        let before = try client.run("ACL", "LIST")
        #expect(try client.run("CONFIG", "REWRITE") == "OK")
        let text = try String(contentsOf: server.configFile, encoding: .utf8)
        #expect(text.contains("\nuser alice on nopass ~x* resetchannels -@all +get\n"))
        #expect(!text.contains("gone"))
        try server.stop()
        try server.restart()
        #expect(try server.connect().run("ACL", "LIST") == before)
    }

    @Test(.enabled(if: hasPython(), "python3-redis is not installed"))
    func `python3-redis speaks as a user`() throws {
        let server = try ServerProcess()
        let script = """
            import redis
            root = redis.Redis(port=\(server.port))
            root.acl_setuser('alice', enabled=True, passwords=['+pw'], keys=['a:*'],
                             commands=['+get', '+set', '+acl|whoami'])
            user = root.acl_getuser('alice')
            assert user['enabled'] and 'on' in user['flags'], user
            alice = redis.Redis(port=\(server.port), username='alice', password='pw')
            assert alice.acl_whoami() == 'alice'
            assert alice.set('a:1', 'x') and alice.get('a:1') == b'x'
            for refused in (lambda: alice.get('b:1'), lambda: alice.delete('a:1'),
                            lambda: alice.acl_list()):
                try:
                    refused()
                    assert False
                except redis.exceptions.NoPermissionError:
                    pass
            try:
                redis.Redis(port=\(server.port), username='alice', password='no').ping()
                assert False
            except redis.ResponseError as error:
                assert 'WRONGPASS' in str(error)
            log = root.acl_log()
            assert log[0]['reason'] == 'auth' and log[0]['username'] == 'alice', log
            assert len(root.acl_genpass()) == 64
            assert root.acl_deluser('alice') == 1
            """
        let finished = try ServerProcess.run(["/usr/bin/python3", "-c", script])
        #expect(finished.ending == .exited(0), "\(finished.errors)")
    }
}
