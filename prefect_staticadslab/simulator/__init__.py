"""An offline Static Ads Lab API: the same calls, statuses, headers, limits, failures and bill.

Start it with `staticadslab simulator`, or within a program:

```python
import httpx
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer

with SimulatorServer(speed=20) as server:
    answer = httpx.get(f"{server.url}/v1/account", headers={"X-API-Key": SIMULATOR_API_KEY})
    assert answer.json()["data"]["organization"]["name"] == "Simulated Shops"
```
"""

from prefect_staticadslab.simulator.model.admission.api_keys import SIMULATOR_API_KEY
from prefect_staticadslab.simulator.model.settings import Settings
from prefect_staticadslab.simulator.server import SimulatorServer

__all__ = ["SIMULATOR_API_KEY", "Settings", "SimulatorServer"]
