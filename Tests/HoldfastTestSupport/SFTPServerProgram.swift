package import HoldfastModel

/// Programs that speak SFTP on their standard input and output, in place of ssh and a server: OpenSSH's server itself,
/// or a script in front of it that behaves as no good server does.
package struct SFTPServerProgram: Sendable {
  package static let path = Path("/usr/lib/openssh/sftp-server")
  private let directory = TemporaryDirectory()

  package init() { TestFiles.write(Self.script, to: directory.appending("server.py")) }

  /// The unchanged server. The arguments for ssh are ignored.
  package static var plain: String { "sh -c \(path.text)" }

  /// The behaviour of the script.
  package enum Mode: Sendable {
    /// Answers nothing at all.
    case silent
    /// Prints text first, as a shell's startup file may.
    case text
    /// Announces a packet of 2 GiB, and sends it.
    case huge
    /// Answers with packets that a generator makes.
    case random(seed: UInt64)
    /// Answers this many requests, and then none.
    case stalls(after: Int)
    /// Ends after this many answers.
    case ends(after: Int)
    /// Executes the first request of a kind and ends before it answers, once.
    case losesAnswer(to: String)
    /// Ends at random moments, before or after it executes a request.
    case unreliable(seed: UInt64)
    /// Lacks these extensions.
    case without([String])
    /// Refuses requests of a kind with a status.
    case refuses(String, status: Int)
    /// Has no space left: refuses to write, and reports no free space.
    case full
    /// Lists without an end.
    case endless
    /// Lists a name.
    case lists(name: [UInt8])
    /// Answers a read with this many bytes.
    case reads(count: Int)
    /// Answers with other request numbers than were sent.
    case otherNumbers

    fileprivate var words: [String] {
      switch self {
      case .silent: ["silent"]
      case .text: ["text"]
      case .huge: ["huge"]
      case .random(let seed): ["random", "\(seed)"]
      case .stalls(let count): ["stalls", "\(count)"]
      case .ends(let count): ["ends", "\(count)"]
      case .losesAnswer(let kind): ["loses", kind]
      case .unreliable(let seed): ["unreliable", "\(seed)"]
      case .without(let names): ["without", names.joined(separator: ",")]
      case .refuses(let kind, let status): ["refuses", "\(kind):\(status)"]
      case .full: ["full"]
      case .endless: ["endless"]
      case .lists(let name): ["lists", name.map { String($0) }.joined(separator: ",")]
      case .reads(let count): ["reads", "\(count)"]
      case .otherNumbers: ["numbers"]
      }
    }
  }

  /// The command in place of ssh.
  package func command(_ mode: Mode) -> String {
    let words = ["exec", "python3", directory.appending("server.py").text, directory.path.text] + mode.words
    return "sh -c '\(words.joined(separator: " "))'"
  }

  /// The number of times that it was started.
  package var starts: Int { TestFiles.names(in: directory.path).count { $0.hasPrefix("start-") } }

  private static let script = #"""
    import os, random, struct, subprocess, sys, threading, time

    directory, mode, argument = sys.argv[1], sys.argv[2], (sys.argv + [""])[3]
    KINDS = {1: "INIT", 3: "OPEN", 4: "CLOSE", 5: "READ", 6: "WRITE", 7: "LSTAT", 11: "OPENDIR", 12: "READDIR",
             13: "REMOVE", 14: "MKDIR", 15: "RMDIR", 18: "RENAME"}
    started = sum(name.startswith("start-") for name in os.listdir(directory))
    open(directory + "/start-%d-%d" % (started, os.getpid()), "w").close()


    def text(value):
        return struct.pack(">I", len(value)) + value


    def take(stream):
        head = stream.read(4)
        if len(head) < 4:
            os._exit(0)
        return stream.read(struct.unpack(">I", head)[0])


    output_lock = threading.Lock()


    def put(stream, packet):
        stream.write(text(packet))
        stream.flush()


    def answer(packet):
        with output_lock:
            put(sys.stdout.buffer, packet)


    def status(number, code):
        answer(struct.pack(">BII", 101, number, code) + text(b"refused by the test") + text(b""))


    def kind_of(packet):
        if packet[0] == 200:
            length = struct.unpack(">I", packet[5:9])[0]
            return packet[9:9 + length].decode().split("@")[0]
        return KINDS.get(packet[0], "OTHER")


    if mode == "silent":
        time.sleep(3600)
    if mode == "text":
        sys.stdout.write("Welcome to the machine of the shop, have a nice day\n")
        sys.stdout.flush()
        time.sleep(3600)
    if mode in ("huge", "random"):
        take(sys.stdin.buffer)
        answer(struct.pack(">BI", 2, 3))
        if mode == "huge":
            sys.stdout.buffer.write(struct.pack(">I", 2**31 - 1))
            while True:
                sys.stdout.buffer.write(b"\0" * 65536)
        generator = random.Random(int(argument) * 1000 + started)
        while True:
            request = take(sys.stdin.buffer)
            number = struct.unpack(">I", request[1:5])[0]
            kind = generator.choice([101, 102, 103, 104, 105, 201, 2, 77])
            body = bytes(generator.choice([0, 0, 0, 1, 2, 4, 255, generator.randrange(256)])
                         for _ in range(generator.randrange(60)))
            answer(struct.pack(">BI", kind, number) + body)

    server = subprocess.Popen(["/usr/lib/openssh/sftp-server"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    asked = {}
    generator = random.Random(argument + "-%d" % started)
    answers = 0


    def lost():
        """Whether it is the first time."""
        try:
            os.close(os.open(directory + "/lost", os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            return False


    def names(number, many):
        attributes = struct.pack(">IQI", 5, 1, 0o100644)
        listed = b"".join(text(name) + text(b"-") + attributes for name in many)
        answer(struct.pack(">BII", 104, number, len(many)) + listed)


    def handle_answers():
        global answers
        while True:
            packet = take(server.stdout)
            if packet[0] == 2:
                if mode == "without" or argument == "RENAME":
                    rest, kept = packet[5:], packet[:5]
                    while rest:
                        fields = []
                        for _ in range(2):
                            length = struct.unpack(">I", rest[:4])[0]
                            fields.append(rest[4:4 + length])
                            rest = rest[4 + length:]
                        if fields[0].decode() not in (argument if mode == "without" else "hardlink@openssh.com").split(","):
                            kept += text(fields[0]) + text(fields[1])
                    packet = kept
                answer(packet)
                continue
            number = struct.unpack(">I", packet[1:5])[0]
            kind = asked.pop(number, "")
            answers += 1
            if mode == "stalls" and answers > int(argument):
                continue
            if mode == "ends" and answers > int(argument):
                os._exit(0)
            if mode == "loses" and kind == argument and lost():
                os._exit(0)
            if mode == "unreliable" and generator.random() < 0.01:
                os._exit(0)
            if mode == "numbers" and kind == "LSTAT":
                packet = packet[:1] + struct.pack(">I", number + 7) + packet[5:]
            answer(packet)


    threading.Thread(target=handle_answers, daemon=True).start()
    endless = 0
    while True:
        request = take(sys.stdin.buffer)
        kind = kind_of(request)
        number = struct.unpack(">I", request[1:5])[0]
        if kind != "INIT":
            if mode == "unreliable" and generator.random() < 0.01:
                os._exit(0)
            if mode == "refuses" and argument.split(":")[0] == kind:
                status(number, int(argument.split(":")[1]))
                continue
            if mode == "full" and kind == "WRITE":
                status(number, 4)
                continue
            if mode == "full" and kind == "statvfs":
                answer(struct.pack(">BI11Q", 201, number, 4096, 4096, 1000, 0, 0, 0, 0, 0, 0, 0, 255))
                continue
            if mode == "endless" and kind == "READDIR":
                names(number, [b"%0200d" % (endless + index) for index in range(900)])
                endless += 900
                continue
            if mode == "lists" and kind == "READDIR":
                endless += 1
                if endless > 1:
                    status(number, 1)
                else:
                    names(number, [bytes(int(byte) for byte in argument.split(",") if byte)])
                continue
            if mode == "reads" and kind == "READ":
                answer(struct.pack(">BI", 103, number) + text(b"x" * int(argument)))
                continue
        asked[number] = kind
        put(server.stdin, request)
    """#
}
