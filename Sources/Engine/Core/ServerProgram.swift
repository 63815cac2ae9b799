import Glibc
import Reactor

/// Starting a server from the command line.
public enum ServerProgram {
    public static func main(_ arguments: [String]) {
        do {
            var settings = Settings()
            if let index = arguments.firstIndex(of: "--port"), index + 1 < arguments.count {
                settings.port = Int(arguments[index + 1]) ?? 6379
            }
            let log = Log()
            let signals = try Signals()
            let background = try Background()
            let server = Server(
                settings: settings, commands: StandardCommands.all, log: log,
                background: background)
            let network = try Network(signals: signals)
            try network.watch(background)
            try network.listen(settings, log)
            server.network = network
            log.notice("Ready to accept connections tcp")
            try server.run()
        } catch {
            print("\(error)")
            exit(1)
        }
    }
}
