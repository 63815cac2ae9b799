import Engine

@main enum Program {
    static func main() { ServerProgram.main() }
}
