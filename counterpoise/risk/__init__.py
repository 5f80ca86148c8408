"""What a share of the hashrate means: finality, censorship, coordinated failure, selfish mining, economics, mergers. Pure.

Shares are parts of the hashrate in [0, 1]. Functions take one share or an array of them, and return an array of the same shape.
The adversary of every function is whoever decides over that share *together*. A pool is not its miners: they can leave it.
"""
