#ifndef MESHLIB_TESTING_CONTROL_PLANE_CORE_H_
#define MESHLIB_TESTING_CONTROL_PLANE_CORE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "controlplane/ads_server.h"
#include "meshlib/testing/control_plane.h"
#include "testing/changes.h"

namespace meshlib::testing {

controlplane::AdsEnd AdsEndOf(const StreamEnd& end);

// What a scripted control plane counts, and what it does to responses. Belongs
// to the loop, but for the waiting.
class ControlPlaneCore final : public controlplane::AdsServerObserver {
 public:
  void OnConnections(size_t open) override { changes.Happened(); }
  controlplane::AdsEnd OnOpen(const controlplane::AdsClient& client) override;
  void OnRequest(const controlplane::AdsClient& client,
                 const controlplane::AdsRequest& request) override;
  controlplane::AdsDelivery OnResponse(
      const controlplane::AdsClient& client,
      const controlplane::AdsResponse& response) override;
  void OnClose(const controlplane::AdsClient& client,
               const absl::Status& why) override;

  ControlPlaneFaults faults;
  ControlPlaneCounts counts;  // of connections not
  Changes changes;

 private:
  // Of the streams that are open, by their ids.
  std::map<uint64_t, uint64_t> responses_;
};

}  // namespace meshlib::testing

#endif  // MESHLIB_TESTING_CONTROL_PLANE_CORE_H_
