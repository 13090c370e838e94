import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The manager of services hears how a service stands, by a path or by an abstract name.
@Suite struct ServiceNoticesTests {
  private let directory = TemporaryDirectory()

  @Test(arguments: [true, false]) func everyNoticeArrives(isAbstract: Bool) throws {
    let path = directory.appending("notify").text
    let manager = try NotifySocket(isAbstract ? "@" + path : path)
    let notices = try #require(
      ServiceNotices(
        socket: manager.name, watchdogMicroseconds: "30000000", watchdogProcess: String(getpid())))
    #expect(notices.watchdog == .seconds(30))
    notices.ready("orders: watching\nnothing")
    notices.status("two")
    notices.alive()
    notices.stopping()
    var heard: [String] = []
    #expect(
      Pseudoterminal().waits {
        heard += manager.received()
        return heard.count == 4
      })
    #expect(heard == ["READY=1\nSTATUS=orders: watching nothing", "STATUS=two", "WATCHDOG=1", "STOPPING=1"])
  }

  @Test func withoutAManagerNothingIsSent() {
    #expect(ServiceNotices(socket: nil) == nil)
    #expect(ServiceNotices(socket: "relative") == nil)
    #expect(ServiceNotices(socket: "/" + String(repeating: "a", count: 200)) == nil)
  }

  /// Two hours have more microseconds than 32 bits hold.
  @Test func aLongWatchdogIsUnderstood() {
    #expect(ServiceNotices(socket: "/x", watchdogMicroseconds: "7200000000")?.watchdog == .hours(2))
  }

  /// A watchdog that is meant for the process that started this one is not answered.
  @Test func theWatchdogOfAnotherProcessIsNotOurs() {
    #expect(ServiceNotices(socket: "/x", watchdogMicroseconds: "1000000", watchdogProcess: "1")?.watchdog == nil)
    #expect(ServiceNotices(socket: "/x", watchdogMicroseconds: "no")?.watchdog == nil)
    // Nobody listens: that is no failure.
    ServiceNotices(socket: directory.appending("nobody").text)?.alive()
  }
}
