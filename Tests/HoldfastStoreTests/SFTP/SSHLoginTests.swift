import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What goes wrong before a server of SFTP answers, by a real sshd and ssh: an error that says what to do, and that is
/// not tried again where that cannot help.
@Suite(.timeLimit(.minutes(30))) struct SSHLoginTests {
  private let directory = TemporaryDirectory()
  private let time = TimelessRetry()
  private var place: Path { directory.appending("new") }

  private func failure(_ command: String, _ server: SSHServer?) -> SFTPError? {
    let store = RetryingStore(SFTPTest.store(place, command, server), time.retrier())
    let error = #expect(throws: SFTPError.self) { try store.list("", .children, after: nil, max: 10) }
    #expect(time.waited == .zero, "it was tried again")
    #expect(error?.exitStatus == .failed)
    return error
  }

  @Test(.requires(.sshServer)) func aServerThatIsNotKnownIsNotTrusted() throws {
    let server = try SSHServer()
    let error = failure(server.command(known: .unknown), server)
    #expect(error?.message.contains("its host key is not known (Host key verification failed.)") == true)
    #expect(error?.hint?.contains("compare the fingerprint") == true)
  }

  @Test(.requires(.sshServer)) func aServerWithAnotherKeyIsNotTrusted() throws {
    let server = try SSHServer()
    let error = failure(server.command(known: .changed), server)
    #expect(error?.message.contains("its host key is another one than before") == true)
    #expect(error?.hint?.contains("ssh-keygen -R") == true)
  }

  @Test(.requires(.sshServer)) func aUserWithoutAKeyIsToldSo() throws {
    let server = try SSHServer()
    let error = failure(server.command(key: "stranger"), server)
    #expect(error?.message.contains("it does not let this user in") == true)
    #expect(error?.message.contains("Permission denied (publickey") == true)
    #expect(error?.hint?.contains("-p \(server.port) -l \(server.user) 127.0.0.1") == true)
  }

  @Test(.requires(.sshServer)) func aConfigurationForShellsDoesNotMatter() throws {
    let server = try SSHServer()
    TestFiles.write("RemoteCommand uptime\nRequestTTY force\n", to: directory.appending("shells"))
    let command = server.command().replacing("-F none", with: "-F \(directory.appending("shells"))")
    #expect(try SFTPTest.store(place, command, server).names(below: "") == [])
  }

  /// At first the port may be wrong; a server that was there a moment ago is being restarted.
  @Test(.requires(.sshServer)) func aRefusedConnectionIsTriedAgainOnlyIfThereWasOne() throws {
    let server = try SSHServer()
    let store = SFTPTest.store(place, server.command(), server)
    #expect(try store.names(below: "") == [])
    server.stop()
    let error = failure(server.command(), server)
    #expect(error?.message.contains("it refuses the connection") == true)
    let process = try #require(store.processID)
    #expect(Tool().other("kill", "-9", "--", "-\(process)").exitStatus == 0)
    var seen: [Bool] = []
    for _ in 1...2 {
      do {
        _ = try store.names(below: "")
      } catch {
        seen.append(error.isTransient)
      }
    }
    #expect(!seen.isEmpty)
    #expect(!seen.contains(false))
  }

  @Test(.requires(.sshServer)) func aServerThatOffersOnlyWhatThisSSHRefusesIsNamed() throws {
    let server = try SSHServer()
    let error = failure(server.command() + " -o HostKeyAlgorithms=rsa-sha2-256", server)
    #expect(error?.message.contains("have no algorithm in common (") == true, "\(error?.message ?? "")")
    #expect(error?.hint?.contains("~/.ssh/config") == true)
  }

  @Test func aCommandThatIsNotThereIsNamed() {
    let error = failure("/nonexistent/ssh", nil)
    #expect(error?.message.contains("the command that connects cannot be run") == true)
    #expect(error?.hint?.contains("HOLDFAST_SSH_COMMAND") == true)
  }

  /// As OpenSSH says it.
  @Test(arguments: [
    ("ssh: Could not resolve hostname nowhere: Name or service not known", SFTPError.Login.nameUnknown),
    ("ssh: Could not resolve hostname nowhere: Temporary failure in name resolution", nil),
    ("subsystem request failed on channel 0", .noSubsystem),
    ("shop@h: Permission denied (publickey,password).", .permissionDenied),
    ("Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures", .permissionDenied),
    ("ssh: connect to host h port 22: Connection refused", .connectionRefused),
    ("ssh: connect to host h port 22: Connection timed out", nil),
    ("ssh: connect to host h port 22: No route to host", .unreachable),
    ("ssh: connect to host h port 22: Network is unreachable", .unreachable),
    (
      "Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa", .noAgreement
    ),
    ("Bad owner or permissions on /root/.ssh/config", .badConfiguration),
    (
      "/root/.ssh/config: line 1: Bad configuration option: hosst\nterminating, 1 bad configuration option",
      .badConfiguration
    ),
    ("ssh: connect to host h port 22: Permission denied", .permissionDenied),
    ("sh: 1: /opt/ssh: Permission denied", .commandMissing),
    ("kex_exchange_identification: read: Connection reset by peer", nil),
    ("sh: 1: ssh: not found", .commandMissing),
  ])
  func messagesAreUnderstood(_ text: String, _ expected: SFTPError.Login?) {
    #expect(SFTPError.Login.of(text, isFirst: true) == expected)
  }

  // MARK: Who can only add

  /// An account as docs/operations.md makes it: it adds, and neither removes, renames, replaces nor changes.
  @Test(.requires(.sshServer, .root)) func anAccountThatCanOnlyAdd() throws {
    let server = try SSHServer(user: "nobody", subsystem: SSHServer.onlyAdding)
    TestFiles.setMode(directory.path, 0o755)
    TestFiles.makeDirectory(place)
    TestFiles.setOwner(place, userID: Unprivileged.userID, groupID: Unprivileged.userID)
    let store = SFTPTest.store(place, server.command(), server)
    let location = store.location
    for number in 1...3 {
      let writer = try store.create("a/\(number)")
      try [UInt8(number)].withUnsafeBytes { try writer.append($0) }
      try writer.commit()
    }
    #expect(try store.names(below: "a/") == ["1", "2", "3"])
    #expect(throws: StoreError.removalRefused(key: "a/1", location: location, .sftp)) { try store.remove("a/1") }
    #expect(throws: StoreError.self) { try store.removeAll(below: "a/") }
    let probe = try store.probe(.system)
    #expect(!probe.capabilities.removes)
    #expect(probe.weaknesses == [])
    let client = "sftp -q -b - -S \(directory.appending("ssh").text) -P \(server.port) nobody@127.0.0.1"
    TestFiles.write("#!/bin/sh\nexec \(server.command()) \"$@\"\n", to: directory.appending("ssh"))
    TestFiles.setMode(directory.appending("ssh"), 0o755)
    TestFiles.write("other", to: directory.appending("other"))
    let object = place.appending("a/1").text
    for attempt in [
      "rm \(object)", "rename \(object) \(object)x", "chmod 600 \(object)",
      "put \(directory.appending("other").text) \(object)",
      "rmdir \(place.appending("a").text)", "reput \(directory.appending("other").text) \(object)",
    ] {
      let result = Tool().other("sh", "-c", "echo '\(attempt)' | \(client)")
      #expect(result.exitStatus != 0, "\(attempt): \(result.output)")
    }
    #expect(TestFiles.read(place.appending("a/1")) == [1])
    #expect(try store.names(below: "a/") == ["1", "2", "3"])
  }
}
